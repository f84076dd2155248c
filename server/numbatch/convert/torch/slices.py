"""Operators that take a part of an axis: slices, parts of chunk and split, one element, and the gating of halves.

Parts of row numbers become no layers: the lookups take them.
"""

from collections.abc import Mapping

import numpy as np

from numbatch.convert.torch.conversion import Conversion, Converter
from numbatch.convert.torch.program import Node, Ref, refused
from numbatch.convert.torch.splits import CUTS
from numbatch.convert.torch.values import Value
from numbatch.wire.errors import NumbatchError
from numbatch.wire.tensors import Array

_ADVICE = (
    "parts of the last axis are served, x[..., a:b]: lay the data out so, or give the parts as inputs of their own"
)


def _slice(c: Conversion, node: Node) -> Value | Array:
    """Convert slice and narrow, and each part of chunk and split."""
    x = c.taken(node, node.arguments["self"])
    if not isinstance(x, Value):
        axis = _axis_of_stored(node, x)
        start, stop, step = _bounds(node, x.shape[axis])
        return np.asarray(x[(*[slice(None)] * axis, slice(start, stop, step))])
    _check_last(c, node, x)
    start, stop, step = _bounds(node, x.shape[-1])
    if step != 1:
        raise refused(node, f"steps of {step}", expected="1", hint=_ADVICE)
    if start >= stop:
        raise refused(node, f"a part of no elements, {start} to {stop}", expected="one or more")
    return _part(c, node, x, start, stop)


def _select(c: Conversion, node: Node) -> Value | Array:
    """Convert select, and each element of unbind: parts of one element, without their axis."""
    x = c.taken(node, node.arguments["self"])
    if not isinstance(x, Value):
        return np.asarray(np.take(x, _index(node), _axis_of_stored(node, x)))
    axis = c.axis(node, node.arguments.get("dim", 0), len(x.shape) + 1)
    if x.shape[axis - 1] == 1 and not x.symbol.integer:  # a squeeze
        return c.shaped(node, x.symbol)
    _check_last(c, node, x)
    start = range(x.shape[-1])[_index(node)]
    return _part(c, node, x, start, start + 1)


def _glu(c: Conversion, node: Node) -> Value:
    x, name = c.value(node), c.name(node)
    _check_last(c, node, x, default=-1)
    half = x.shape[-1] // 2
    first = c.graph.slice(x.symbol, 0, half, name=f"{name}/first")
    gate = c.graph.activation(
        c.graph.slice(x.symbol, half, 2 * half, name=f"{name}/second"), "sigmoid", name=f"{name}/gate"
    )
    return Value(c.graph.multiply([first, gate], name=name), c.shape(node))


def _part(c: Conversion, node: Node, x: Value, start: int, stop: int) -> Value:
    """Return elements of the last axis, under the axes of a node's output."""
    shape = c.shape(node)
    if x.symbol.integer:
        before = x.part[0] if x.part else 0
        return Value(x.symbol, shape, (before + start, before + stop))
    name = c.inner_name(node, (*x.symbol.shape[:-1], stop - start))
    return c.shaped(node, c.graph.slice(x.symbol, start, stop, name=name))


def _check_last(c: Conversion, node: Node, x: Value, default: int = 0) -> None:
    rank = len(x.shape) + 1
    axis = c.axis(node, node.arguments.get("dim", default), rank)
    if axis != rank - 1 or len(x.shape) != len(x.axes):
        raise refused(node, f"a part of axis {axis}", expected="of the last axis", hint=_ADVICE)


def _axis_of_stored(node: Node, array: Array) -> int:
    return range(array.ndim)[int(node.arguments.get("dim", 0))]


def _bounds(node: Node, length: int) -> tuple[int, int, int]:
    start, stop, step, count = (node.arguments.get(key) for key in ("start", "end", "step", "length"))
    if (node.operation in CUTS and start is None) or any(isinstance(each, Ref) for each in (start, stop, step, count)):
        raise _not_fixed(node)
    if node.operation == "narrow":
        start = int(node.arguments["start"]) % length
        stop = start + int(node.arguments["length"])
    return slice(start, stop, step).indices(length)


def _index(node: Node) -> int:
    index = node.arguments.get("index")
    if not isinstance(index, int):
        raise _not_fixed(node)
    return index


def _not_fixed(node: Node) -> NumbatchError:
    return refused(node, "a part whose place is not fixed", expected="numbers", hint=_ADVICE)


CONVERTERS: Mapping[str, Converter] = {
    **dict.fromkeys((*CUTS, "slice", "narrow"), _slice),
    **{"select": _select, "unbind": _select, "glu": _glu},
}
