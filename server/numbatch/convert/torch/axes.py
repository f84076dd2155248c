"""Operators on axes: other shapes, joining, sums; and those on stored arrays."""

import math
from collections.abc import Mapping

import numpy as np

from numbatch.convert.torch.conversion import Conversion, Converter
from numbatch.convert.torch.elementwise import widened
from numbatch.convert.torch.embeddings import is_pooling, pooled
from numbatch.convert.torch.program import Node, refused
from numbatch.convert.torch.simplify import is_integer
from numbatch.convert.torch.values import Value
from numbatch.wire.tensors import Array


def _reshape(c: Conversion, node: Node) -> Value | Array:
    """All operators that give the same elements in the same order under other axes."""
    x = c.taken(node, node.arguments.get("self", node.arguments.get("input")))
    if not isinstance(x, Value):
        return x.reshape(c.stored_shape(node))
    shape = c.shape(node)
    if x.fits(shape):
        c.leave_out(node)
        return x._replace(shape=shape)
    if x.symbol.integer:
        raise refused(node, "row numbers under other axes", hint="look them up first, then reshape")
    if len(shape) == 1 and len(x.shape) > 1:
        return Value(c.graph.flatten(x.symbol, name=c.name(node)), shape)
    return c.shaped(node, x.symbol)


def _expand(c: Conversion, node: Node) -> Value | Array:
    x = c.taken(node, node.arguments["self"])
    if isinstance(x, Value):
        return x if x.shape == c.shape(node) else Value(widened(c, node, x), c.shape(node))
    return np.broadcast_to(x, c.stored_shape(node))


def _transpose(c: Conversion, node: Node) -> Array:
    x = c.taken(node, node.arguments["self"])
    if isinstance(x, Value):
        hint = "axes cannot change places: lay the data out so before it is sent"
        raise refused(node, "a transposition of a computed array", hint=hint)
    if node.operation == "permute":
        return np.transpose(x, node.arguments["dims"])
    return x.T if node.operation == "t" else np.swapaxes(x, node.arguments["dim0"], node.arguments["dim1"])


def _cast(c: Conversion, node: Node) -> Value | Array:
    """From whole numbers to float32; what changes less has been left out before."""
    x = c.taken(node, node.arguments["self"])
    if not isinstance(x, Value):
        return x.astype(np.float32)
    if x.symbol.integer:
        hint = "give the numbers that are computed with as an input of their own"
        raise refused(node, "row numbers of a table, used as numbers too", hint=hint)
    if is_integer(c.data_type(node)):
        raise refused(node, "rounding to whole numbers", hint="give row numbers as an integer input of their own")
    return x


def _full(c: Conversion, node: Node) -> Array:
    """Arrays of one number."""
    fill = {"zeros": 0.0, "ones": 1.0}.get(node.operation, node.arguments.get("fill_value", node.arguments.get("s")))
    return np.full(c.stored_shape(node), fill, np.float32)


def _cat(c: Conversion, node: Node) -> Value:
    """Convert cat and stack, along any axis but the batch: what lies behind it is joined as one."""
    arrays = [c.taken(node, each) for each in node.arguments["tensors"]]
    parts = [each for each in arrays if isinstance(each, Value)]
    if len(parts) < len(arrays):
        raise refused(node, "stored arrays among computed ones", hint="pass them through a Linear's bias instead")
    if any(part.symbol.integer for part in parts):
        raise refused(node, "row numbers side by side", hint="give them as one input, or join what they look up")
    rank, shape = len(parts[0].shape) + 1 + (node.operation == "stack"), c.shape(node)
    axis = c.axis(node, node.arguments.get("dim", 0), rank)
    if len(parts) == 1:
        return c.shaped(node, parts[0].symbol)
    if axis == rank - 1 and node.operation == "cat":
        return Value(c.graph.concatenate([part.symbol for part in parts], name=c.name(node)), shape)
    before, symbols = shape[: axis - 1], []
    for part in parts:
        behind = math.prod(part.shape[axis - 1 :])
        joined = (*before, behind)
        same = part.symbol.shape == joined
        symbols.append(part.symbol if same else c.graph.reshape(part.symbol, joined, name=f"{part.symbol.name}/flat"))
    name = c.inner_name(node, (*before, sum(symbol.shape[-1] for symbol in symbols)))
    return c.shaped(node, c.graph.concatenate(symbols, name=name))


def _reduce(c: Conversion, node: Node) -> Value:
    """Convert sums and means: of looked-up rows by their layer, of a last axis by a dense layer of ones."""
    if is_pooling(c, node):
        return pooled(c, node)
    x, axes = c.value(node), node.arguments.get("dim")
    rank = len(x.shape) + 1
    if not axes or c.axis(node, axes, rank) != rank - 1:
        hint = "over rows that an Embedding looked up, the axis before the last can be summed"
        raise refused(node, f"over axes {axes}", expected="the last axis", hint=hint)
    length = x.shape[-1]
    weight = 1 / length if node.operation == "mean" else 1.0
    kernel = np.full((length, 1), weight, np.float32)
    return c.shaped(node, c.graph.dense(x.symbol, kernel, name=c.inner_name(node, (*x.shape[:-1], 1))))


_SAME_ELEMENTS = ("reshape", "view", "_unsafe_view", "flatten", "unflatten", "unsqueeze", "squeeze", "view_as")

CONVERTERS: Mapping[str, Converter] = {
    **dict.fromkeys(_SAME_ELEMENTS, _reshape),
    **dict.fromkeys(("expand", "expand_as"), _expand),
    **dict.fromkeys(("t", "transpose", "permute"), _transpose),
    **dict.fromkeys(("to", "_to_copy", "type_as"), _cast),
    **dict.fromkeys(("zeros", "ones", "full", "scalar_tensor"), _full),
    **{"cat": _cat, "concat": _cat, "stack": _cat, "mean": _reduce, "sum": _reduce},
}
