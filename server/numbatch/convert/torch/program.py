"""What torch.export makes of a module, without PyTorch: inputs, weights, and the calls of operators between them.

Two readers make it, `exported` from a live module and `archive` from a .pt2 file; one walk converts it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

# The length of an axis: a number, or the name or formula of one that is not fixed, as that of the batch.
Length = int | str


class Ref(NamedTuple):
    """What an operator takes: an array (or a length) of the program, by its name."""

    name: str


class ArrayInfo(NamedTuple):
    """The axes of an array, the batch among them, and the type of its elements ("float32")."""

    shape: tuple[Length, ...]
    data_type: str


class Constant(NamedTuple):
    """A weight: its path in the module ("encoder.0.weight") and its elements."""

    path: str
    array: Array


class ModuleCall(NamedTuple):
    """A call of a module: a key that no other call has, the module's path, and its class."""

    key: str
    path: str
    kind: str


@dataclass(frozen=True)
class Node:
    """A call of an operator.

    Attributes
    ----------
    target : str
        The operator: "aten.linear.default".
    arguments : mapping of str to object
        By their names in the operator's schema. Those that have their defaults may be missing.
    outputs : tuple of str
        The names of what it gives.
    modules : tuple of ModuleCall
        The calls inside which it happens, the outermost first.
    """

    target: str
    arguments: Mapping[str, Any]
    outputs: tuple[str, ...]
    modules: tuple[ModuleCall, ...] = ()

    @property
    def operation(self) -> str:
        """The operator without its overload ("linear", "relu_"), in full if it is none of PyTorch's own."""
        library, _, rest = self.target.partition(".")
        return rest.split(".")[0] if library == "aten" else self.target

    @property
    def name(self) -> str:
        """The name of its first output."""
        return self.outputs[0] if self.outputs else self.target

    @property
    def place(self) -> str:
        """Where it is: the path of a module of PyTorch's own, else that of the module around and its operation."""
        module = self.modules[-1] if self.modules else ModuleCall("", "", "")
        if module.path and module.kind.startswith("torch.nn."):
            return module.path
        operation = self.operation.split(".")[-1].strip("_")
        return f"{module.path}.{operation}" if module.path else operation

    def taken(self) -> Iterator[str]:
        """Iterate over the names of what it takes."""
        for argument in self.arguments.values():
            for each in argument if isinstance(argument, list | tuple) and type(argument) is not Ref else [argument]:
                if isinstance(each, Ref):
                    yield each.name


@dataclass(frozen=True)
class Program:
    """A network as torch.export describes it.

    Attributes
    ----------
    inputs, outputs : tuple of str
        The names of its arrays.
    constants : mapping of str to Constant
        Weights and other stored arrays, by name.
    nodes : tuple of Node
        Each after what it takes.
    arrays : mapping of str to ArrayInfo
        What is known of all arrays.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Constant]
    nodes: tuple[Node, ...]
    arrays: Mapping[str, ArrayInfo]


def refused(
    node: Node, problem: str, *, expected: object = "", hint: str = "", reason: Reason = Reason.LAYER_UNSUPPORTED
) -> NumbatchError:
    """Return the error that says which operator cannot be served, where it is, and what could be done."""
    module = node.modules[-1] if node.modules else None
    kind = module.kind.rpartition(".")[2] if module else ""
    got = f"{node.target} in {kind}" if kind else node.target
    return error(reason, problem, field=node.place, got=got, expected=expected, hint=hint)
