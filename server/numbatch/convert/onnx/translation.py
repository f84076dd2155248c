"""What the translators of nodes share: the model that is being written, and what each tensor has become in it."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.convert.onnx.network import Network
from numbatch.convert.onnx.nodes import Node
from numbatch.wire.graph import GraphWriter, Symbol
from numbatch.wire.layers import Shape
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, shape_text


class RowNumbers(NamedTuple):
    """Some of the last axis of an input that are row numbers.

    Attributes
    ----------
    given : Symbol
        The input.
    start, stop : int
        The first of them, and the one after the last.
    """

    given: Symbol
    start: int
    stop: int


# (array, name, parameters by theirs) -> what a layer gives
Write = Callable[[Symbol, str, dict[str, Array]], Symbol]


class Translation:
    """A model in the making.

    Attributes
    ----------
    network : Network
        What is translated.
    writer : GraphWriter
        What writes the model.
    symbols : dict of str to Symbol
        What the tensors so far are in it. Row numbers may have another shape there than the input that they are.
    tensors : dict of str to str
        The tensor that each layer was written for, by its name.
    inputs : dict of str to Symbol
        The model's inputs by their names in the graph.
    row_numbers : dict of str to RowNumbers
        Which numbers of which input an array of row numbers is, by the name of its symbol.
    batch : int or None
        The number of examples, where the graph fixes it.
    left_out : list of str
        The nodes that turned out to change nothing.
    notes : list of str
        What a user should know, a sentence each.
    """

    def __init__(self, network: Network, writer: GraphWriter, batch: int | None = None) -> None:
        self.network = network
        self.writer = writer
        self.symbols: dict[str, Symbol] = {}
        self.tensors: dict[str, str] = {}
        self.inputs: dict[str, Symbol] = {}
        self.row_numbers: dict[str, RowNumbers] = {}
        self.batch = batch
        self.left_out: list[str] = []
        self.notes: list[str] = []

    def array(self, node: Node, position: int | str = 0) -> Symbol:
        """Return one of the arrays that a node takes, by its place or its name: floats or row numbers, with a batch.

        Raises
        ------
        UnsupportedError
            LAYER_UNSUPPORTED, if it is a constant.
        """
        tensor = node.inputs[position] if isinstance(position, int) else position
        if tensor not in self.symbols:
            raise node.refusal("it takes a constant where an array with a batch is expected", got=tensor)
        return self.symbols[tensor]

    def numbers(self, node: Node, position: int | str = 0) -> Symbol:
        """Return one of the arrays that a node takes, by its place or its name: floats, with a batch.

        Raises
        ------
        UnsupportedError
            LAYER_UNSUPPORTED, if it is a constant or holds row numbers.
        """
        symbol = self.array(node, position)
        if symbol.integer:
            hint = "integers can only be row numbers of a lookup table, or be cast to floats"
            raise node.refusal("it computes with integers", got=symbol.name, hint=hint)
        return symbol

    def constant(self, node: Node, position: int) -> Array | None:
        """Return the value of one of a node's inputs; None if it is left out, or not known."""
        return self.network.constant(node.inputs[position]) if node.has_input(position) else None

    def weights(self, node: Node, position: int, what: str) -> Array:
        """Return the value of an input that must be a constant of finite floats.

        Raises
        ------
        UnsupportedError
            LAYER_UNSUPPORTED, if it depends on the model's inputs.
        InvalidModelError
            WEIGHTS_NOT_FINITE.
        """
        value = self.constant(node, position)
        if value is None:
            raise node.refusal(f"its {what} depends on the model's inputs", expected="a constant")
        return finite(node, value, what)

    def integers(self, node: Node, position: int, attribute: str) -> list[int] | None:
        """Return what older versions of an operator have as an attribute, and newer ones as an input; None: neither."""
        if (given := node.attribute(attribute)) is not None:
            return [int(each) for each in np.ravel(given)]
        if not node.has_input(position):
            return None
        value = self.constant(node, position)
        if value is None:
            raise node.refusal(f"its {attribute} depends on the model's inputs", expected="a constant")
        return [int(each) for each in np.ravel(value)]

    def some_row_numbers(self, node: Node, ids: Symbol, places: list[int]) -> Symbol:
        """Return some of the numbers of the last axis of an array of row numbers, which lie side by side."""
        known = self.row_numbers[ids.name]
        if ids.shape != (*known.given.shape[:-1], known.stop - known.start):
            hint = "take them from the input itself"
            raise node.refusal("it chooses among row numbers under other axes than those of the input", hint=hint)
        first, last = known.start + places[0], known.start + places[-1]
        if places != list(range(places[0], places[-1] + 1)):
            raise node.refusal("row numbers that do not lie side by side", got=places[:8])
        name = f"{known.given.name}[{first}:{last + 1}]"
        self.row_numbers[name] = RowNumbers(known.given, first, last + 1)
        return Symbol(name, (*ids.shape[:-1], len(places)), integer=True)

    def reshaped(self, x: Symbol, shape: Shape, name: str) -> Symbol:
        """Return the same elements under other axes; the same array where they are the same."""
        if x.shape == shape:
            return x
        return self.writer.flatten(x, name=name) if len(shape) == 1 else self.writer.reshape(x, shape, name=name)

    def affine(
        self, node: Node, x: Symbol, scale: npt.ArrayLike | None, offset: npt.ArrayLike | None, name: str = ""
    ) -> Symbol:
        """Return scale x + offset, of constants that are broadcast over the axes of one example."""
        given = {what: each for what, each in (("scale", scale), ("offset", offset)) if each is not None}
        return self.featurewise(
            node, x, given, lambda y, last, arrays: self.writer.affine(y, **arrays, name=last), name
        )

    def featurewise(
        self,
        node: Node,
        x: Symbol,
        arrays: Mapping[str, npt.ArrayLike],
        write: Write,
        name: str = "",
    ) -> Symbol:
        """Write a layer with one parameter for each element of the last axis.

        Where the parameters differ along other axes, too, it is written over all axes of an example in one.
        """
        name = name or node.name
        spread = {what: self.per_example(node, x, np.asarray(each)) for what, each in arrays.items()}
        if all(each.shape[:-1] == (1,) * (each.ndim - 1) for each in spread.values()):
            rows = {what: np.broadcast_to(each.reshape(-1), x.shape[-1:]) for what, each in spread.items()}
            return write(x, name, rows)
        flat = {what: np.broadcast_to(each, x.shape).reshape(-1) for what, each in spread.items()}
        y = write(self.writer.flatten(x, name=f"{name}/flat"), f"{name}/elements", flat)
        return self.writer.reshape(y, x.shape, name=name)

    def row(self, node: Node, x: Symbol, value: Array) -> Array:
        """Return a constant as one number for each element of the last axis; it differs along no other."""
        spread = self.per_example(node, x, value)
        if spread.shape[:-1] != (1,) * (spread.ndim - 1):
            got, expected = shape_text(value.shape), shape_text(x.shape[-1:])
            raise node.refusal("parameters that differ along other axes than the last", got=got, expected=expected)
        return np.broadcast_to(spread.reshape(-1), x.shape[-1:])

    def per_example(self, node: Node, x: Symbol, value: Array) -> Array:
        """Return a constant without its axis of the batch, if it has one, and with as many axes as an example."""
        if value.ndim == len(x.shape) + 1:
            if len(value) != 1:
                expected = "1 along the batch"
                raise node.refusal("a constant that differs between the examples", got=value.shape, expected=expected)
            value = value[0]
        value = value.reshape((1,) * (len(x.shape) - value.ndim) + value.shape)
        if value.ndim > len(x.shape) or any(a not in (1, b) for a, b in zip(value.shape, x.shape, strict=True)):
            got = f"{shape_text(x.shape)} and a constant {shape_text(value.shape)}"
            raise node.refusal("a constant that widens the array", got=got, expected="one that fits the array")
        return finite(node, value, "constant")


def finite(node: Node, value: Array, what: str) -> Array:
    """Return a constant, if it is one of finite numbers.

    Raises
    ------
    UnsupportedError
        LAYER_UNSUPPORTED, if it holds anything but numbers.
    InvalidModelError
        WEIGHTS_NOT_FINITE.
    """
    if value.dtype.kind not in "fiu":
        raise node.refusal(f"its {what}", got=value.dtype, expected="numbers")
    if not np.all(np.isfinite(value)):
        raise node.refusal(f"its {what} holds what is not finite", reason=Reason.WEIGHTS_NOT_FINITE)
    return value
