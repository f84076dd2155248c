"""The walk from a program to a model: one operator after another, each handed to what converts its kind.

What cannot be converted is refused only where something needs it: a softsign divides by 1 + |x|, and |x| alone, which
no layer computes, must not end the walk.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numbatch.convert.torch.advice import advice
from numbatch.convert.torch.naming import layer_names
from numbatch.convert.torch.program import Length, Node, Program, Ref, refused
from numbatch.convert.torch.simplify import is_integer, simplified
from numbatch.convert.torch.splits import CUTS
from numbatch.convert.torch.values import Value, held
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.graph import GraphWriter, Symbol
from numbatch.wire.layers import Shape
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, Float32Array, as_float32, shape_text

# What moves numbers without computing with them: whole ones may be moved as float32 until they are cast.
_MOVES = {
    *("reshape", "view", "flatten", "unflatten", "squeeze", "unsqueeze", "cat", "concat", "stack"),
    *("slice", "select", "narrow", *CUTS),
}
_NO_ROWS = "every operator must keep the rows of a batch apart: the first axis is the batch, and stays so"


# What converts an operator: it returns an array of the network, or, where all that it takes is stored, a stored one.
Converter = Callable[["Conversion", Node], "Value | Array"]


def computed_numbers(node: Node) -> NumbatchError:
    """Return the error for row numbers that are the result of a computation."""
    hint = "row numbers must come as an integer input of the network, not as the result of a computation"
    return refused(node, "computed row numbers", expected="an integer input", hint=hint)


class Conversion:
    """A walk: what it has made so far.

    Parameters
    ----------
    program : Program
        What is converted.
    converters : mapping of str to callable
        By the names of operations.
    name : str
        The model's.

    Attributes
    ----------
    graph : GraphWriter
        The model.
    notes : list of str
        What a user should know.
    """

    def __init__(self, program: Program, converters: Mapping[str, Converter], name: str) -> None:
        self._program, self._gone = simplified(program)
        self._names = layer_names(self._program)
        self._converters = converters
        self._values: dict[str, Value | Array | NumbatchError] = {}
        self._makers = {name: node for node in self._program.nodes for name in node.outputs}
        self._users: dict[str, list[Node]] = {}
        self._rows = {self._program.arrays[name].shape[:1] for name in self._program.inputs}
        self.graph = GraphWriter(name)
        self.notes: list[str] = []

    def run(self) -> Model:
        """Convert all.

        Raises
        ------
        NumbatchError
            Why it cannot be.
        """
        program = self._program
        for node in program.nodes:
            for name in node.taken():
                self._users.setdefault(name, []).append(node)
        if not program.inputs:
            raise error(Reason.FEATURE_UNSUPPORTED, "the network takes no arrays", expected="one or more inputs")
        for name in program.inputs:
            self._values[name] = self._input(name)
        for name, constant in program.constants.items():
            self._values[name] = constant.array
        for node in program.nodes:
            result = self._converted(node)
            if isinstance(result, NumbatchError):
                self._values |= dict.fromkeys(node.outputs, result)
            else:
                self._values[node.name] = result
        outputs: list[Symbol] = []
        for name in program.outputs:
            outputs.append(self._output(name, outputs))
        if self._gone:
            self.note(f"Left out, as they do nothing in inference: {', '.join(self._gone)}.")
        return self.graph.model(outputs)

    def leave_out(self, node: Node) -> None:
        """Say in the notes that a module becomes no layer, if the node is all that it does."""
        module = node.modules[-1] if node.modules else None
        alone = [module in each.modules for each in self._program.nodes].count(True) == 1
        if module and module.path and alone and module.path not in self._gone:
            self._gone.append(module.path)

    def note(self, sentence: str) -> None:
        """Add a note, unless it is there."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def name(self, node: Node) -> str:
        """Return the name of the layer that a node becomes."""
        return self._names[node.name]

    def inner_name(self, node: Node, shape: Shape) -> str:
        """Return the name of a layer that gives a node's output under these axes, if others must follow."""
        return self.name(node) if shape == held(self.shape(node)) else f"{self.name(node)}/inner"

    def maker(self, argument: Any) -> Node | None:
        """Return the node whose output an argument is, or None if it is an input, stored, or a number."""
        return self._makers.get(argument.name) if isinstance(argument, Ref) else None

    def users(self, node: Node) -> list[Node | None]:
        """Return what takes the first output of a node; None stands for the world outside."""
        outside = [None] if node.name in self._program.outputs else []
        return [*self._users.get(node.name, []), *outside]

    def taken(self, node: Node, argument: Any) -> Value | Array:
        """Return an argument: an array of the network, or a stored array or number.

        Raises
        ------
        NumbatchError
            If what makes it cannot be converted.
        """
        if not isinstance(argument, Ref):
            if argument is None or isinstance(argument, str | list):
                raise refused(node, "an argument that is no array", expected="an array")
            return np.asarray(argument, np.float32 if isinstance(argument, float) else None)
        value = self._values.get(argument.name)
        if value is None:
            raise refused(node, f"it takes {argument.name}, which is no first output", expected="an array")
        if isinstance(value, NumbatchError):
            raise value
        return value

    def value(self, node: Node, name: str = "self") -> Value:
        """Return an argument that is an array of the network."""
        value = self.taken(node, node.arguments.get(name))
        if not isinstance(value, Value):
            raise refused(node, f"{name} is a stored array", expected="one that the network computes")
        return value

    def constant(self, node: Node, name: str) -> Float32Array | None:
        """Return an argument that is a stored array or number, as float32, or None if it is None or missing."""
        argument = node.arguments.get(name)
        if argument is None:
            return None
        value = self.taken(node, argument)
        if isinstance(value, Value):
            raise refused(node, f"{name} is computed by the network", expected="a stored array")
        return self.weights(value, name)

    def required(self, node: Node, name: str) -> Float32Array:
        """Return an argument that is a stored array, and must be there."""
        array = self.constant(node, name)
        if array is None:
            raise refused(node, f"it has no {name}", expected="a stored array")
        return array

    def weights(self, array: Array, field: str) -> Float32Array:
        """Return stored elements as float32, with a note if they were of another width."""
        if array.dtype.kind == "f" and array.dtype.itemsize != 4:
            self.note(f"Weights of {array.dtype.name} were rounded to float32, in which everything is computed.")
        return as_float32(array, field)

    def axis(self, node: Node, axis: Any, rank: int) -> int:
        """Return the number of an axis, the batch's being 0, counted from the front."""
        axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
        if not isinstance(axis, int) or not -rank <= axis < rank:
            raise refused(node, "axes", expected="one axis")
        if axis % rank == 0:
            raise refused(node, "it works across the rows of a batch", hint=_NO_ROWS)
        return int(axis % rank)

    def shape(self, node: Node) -> Shape:
        """Return the axes of one example of a node's first output.

        Raises
        ------
        NumbatchError
            If its first axis is not the batch, or another is not fixed.
        """
        axes = self._program.arrays[node.name].shape
        return self._example(node, axes)

    def stored_shape(self, node: Node) -> Shape:
        """Return the axes of a node's first output, where that depends on no input."""
        return tuple(length for length in self._program.arrays[node.name].shape if isinstance(length, int))

    def data_type(self, node: Node) -> str:
        """Return the type of the elements of a node's first output."""
        return self._program.arrays[node.name].data_type

    def shaped(self, node: Node, symbol: Symbol) -> Value:
        """Return a node's output: an array that has its elements, under its axes, with a layer for them if need be."""
        shape = self.shape(node)
        if symbol.shape != held(shape):
            symbol = self.graph.reshape(symbol, held(shape), name=self.name(node))
        return Value(symbol, shape)

    def _example(self, node: Node, axes: tuple[Length, ...]) -> Shape:
        if axes[:1] not in self._rows:
            got = "[" + ", ".join(map(str, axes)) + "]"
            raise refused(node, f"rows are mixed: it gives {got}", expected="the batch as first axis", hint=_NO_ROWS)
        fixed = tuple(length for length in axes[1:] if isinstance(length, int))
        if len(fixed) != len(axes) - 1:
            got = ", ".join(map(str, axes[1:]))
            raise refused(node, f"axes of no fixed length: {got}", expected="fixed lengths but for the batch")
        return fixed

    def _input(self, name: str) -> Value:
        axes, data_type = self._program.arrays[name]
        node = Node("input", {}, (name,))
        if not axes:
            raise refused(node, "a number without a batch", expected="the batch as first axis")
        if len(self._rows) > 1 and any(isinstance(length, int) for rows in self._rows for length in rows):
            raise refused(node, f"its {axes[0]} rows are not those of the other inputs", expected="one batch for all")
        if isinstance(axes[0], int):
            self.note(f"It was exported for {axes[0]} rows at a time; the first axis was taken as the batch.")
        shape = self._example(node, axes)
        if not shape:
            self.note(f"Input {name} has one number for each row: requests bring it as [rows, 1].")
        integer = is_integer(data_type) and self._looks_up(name)
        if is_integer(data_type) and not integer or data_type == "bool":
            self.note(f"Input {name} is {data_type} in PyTorch; the model takes it as float32.")
        elif data_type in ("float64", "float16", "bfloat16"):
            self.note(f"Input {name} is {data_type} in PyTorch; the model computes in float32.")
        return Value(self.graph.input(name, held(shape), integer=integer), shape)

    def _looks_up(self, name: str) -> bool:
        """Whether the elements of an input are row numbers of tables."""
        for node in self._users.get(name, []):
            if "embedding" in node.operation:
                return True
            info = self._program.arrays.get(node.name)
            if info and is_integer(info.data_type) and self._looks_up(node.name):
                return True
        return False

    def _converted(self, node: Node) -> Value | Array | NumbatchError:
        operation = node.operation
        in_place = operation.endswith("_") and not operation.startswith("_")
        converter = self._converters.get(operation[:-1] if in_place else operation)
        try:
            if converter is None or node.name not in self._program.arrays:
                raise refused(node, "no layer computes it", hint=advice(node.operation))
            result = converter(self, node)
            if isinstance(result, Value):
                info = self._program.arrays[node.name]
                if not result.fits(self.shape(node)) or result.shape != self.shape(node):
                    got = shape_text(result.axes)
                    raise refused(node, "its shape", expected=f"{shape_text(self.shape(node))}, not {got}")
                real = info.data_type.startswith(("float", "bfloat"))
                if not real and not result.symbol.integer and node.operation not in _MOVES:
                    raise refused(node, f"it computes in {info.data_type}", expected="float32", hint="use x.float()")
            return result
        except NumbatchError as reason:
            return reason

    def _output(self, name: str, before: list[Symbol]) -> Symbol:
        node = self._makers.get(name) or Node("input", {}, (name,))
        value = self.taken(node, Ref(name))
        if not isinstance(value, Value):
            raise refused(node, "an output that does not depend on the inputs", expected="a computed array")
        if value.symbol.integer:
            raise refused(node, "row numbers of a table as an output", hint="whoever sends them has them")
        if not value.shape:
            self.note(f"Output {value.symbol.name} has one number for each row: it is returned as [rows, 1].")
        if value.symbol in before:
            return self.graph.activation(value.symbol, "linear")
        return value.symbol
