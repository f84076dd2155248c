"""What a Keras model is, as data: operations, the calls that were made of them, and the tensors between.

Files and live models are read into this, and one converter goes on from here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array


class Ref(NamedTuple):
    """A tensor of a network.

    Attributes
    ----------
    operation : str
        What gives it: a key of `Network.operations`.
    call : int
        By which call of that operation, counted from 0.
    output : int
        Which of the call's outputs, flattened.
    """

    operation: str
    call: int = 0
    output: int = 0


@dataclass(frozen=True)
class Call:
    """One use of an operation.

    Attributes
    ----------
    args, kwargs
        What it was called with: Refs, arrays, numbers and strings, in lists, tuples and dicts.
    network : Network, optional
        What the operation consists of, if it is a model or a layer built of layers.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    network: "Network | None" = None


@dataclass
class Operation:
    """A layer, a nested model, or a function of `keras.ops`.

    Attributes
    ----------
    name : str
        As its author knows it.
    kind : str
        The class: "Dense"; of a function "ops.Add"; of what is not Keras' own "package>Class".
    config : mapping
        As its `get_config` returns it.
    calls : list of Call
        In order.
    variables : dict of str to ndarray
        By their names: "kernel". Empty until they are read, and for what has none.
    trainable : bool
        Whether its variables are trained, which decides their order in old files.
    path : str
        Where they are in a `.weights.h5`: "layers/dense_1".
    """

    name: str
    kind: str
    config: Mapping[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    variables: dict[str, Array] = field(default_factory=dict)
    trainable: bool = True
    path: str = ""

    def refusal(
        self, problem: str, *, reason: Reason = Reason.LAYER_UNSUPPORTED, expected: str = "", hint: str = ""
    ) -> NumbatchError:
        """Return the error that says why this operation cannot be served."""
        got = self.kind.replace("ops.", "keras.ops.")
        return error(reason, problem, field=self.name, got=got, expected=expected, hint=hint)

    def network(self) -> "Network | None":
        """Return what it consists of, or None for a layer or function."""
        return next((call.network for call in self.calls if call.network is not None), None)


@dataclass(frozen=True)
class Network:
    """A graph of operations.

    Attributes
    ----------
    name : str
        The model's.
    operations : dict of str to Operation
        By their keys: their names, unless two have the same.
    inputs, outputs
        Refs, in the structure (lists, dicts) in which the model takes and returns them. Inputs are operations of the
        kind "InputLayer".
    kind : str
        The class of the model.
    """

    name: str
    operations: dict[str, Operation]
    inputs: Any
    outputs: Any
    kind: str = "Functional"

    def models(self) -> Iterator["Network"]:
        """Yield this network and all that are nested in it."""
        yield self
        for operation in self.operations.values():
            nested = operation.network()
            if nested is not None:
                yield from nested.models()

    def variables_owners(self) -> Iterator[Operation]:
        """Yield every layer, those of nested models too, in the order in which Keras saves them."""
        for operation in self.operations.values():
            nested = operation.network()
            if nested is None:
                yield operation
            else:
                yield from nested.variables_owners()


def refs(structure: Any) -> Iterator[Ref]:
    """Yield all Refs of a structure, depth first; those of a dict in the order of its keys."""
    if isinstance(structure, Ref):
        yield structure
    elif isinstance(structure, Mapping):
        for key in sorted(structure):
            yield from refs(structure[key])
    elif isinstance(structure, list | tuple):
        for each in structure:
            yield from refs(each)


def flattened(structure: Any) -> list[Any]:
    """Return the leaves of a structure, depth first; those of a dict in the order of its keys."""
    if isinstance(structure, Mapping):
        return [leaf for key in sorted(structure) for leaf in flattened(structure[key])]
    if type(structure) in (list, tuple):  # no named tuples
        return [leaf for each in structure for leaf in flattened(each)]
    return [structure]


def corrupt(problem: str, *, field: str = "", got: object = "", expected: object = "", hint: str = "") -> NumbatchError:
    """Return the error for a file that contradicts itself, or is damaged."""
    return error(Reason.MODEL_CORRUPT, problem, field=field, got=got, expected=expected, hint=hint)
