"""Operators that move elements: new axes for the same elements, arrays side by side, columns of an array."""

import math

import numpy as np

from numbatch.convert.onnx.folding import BATCH
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.translation import Translation
from numbatch.wire.graph import Symbol
from numbatch.wire.layers import Shape
from numbatch.wire.tensors import Array, shape_text

_HINT = "only the axes after the batch may change"


def shape_of(t: Translation, node: Node) -> Array:
    """Return the shape of an array, with a number for the batch that no axis has."""
    lengths = [BATCH if t.batch is None else t.batch, *t.array(node).shape]
    return np.array(lengths[node.attribute("start", 0) : node.attribute("end", len(lengths))], np.int64)


def reshape(t: Translation, node: Node) -> Symbol:
    """Translate a new shape: 0, -1, the batch's own length or its symbol stand for the batch in the first place."""
    x = t.array(node)
    shape = t.integers(node, 1, "shape") or []
    elements = math.prod(x.shape)
    first, rest = (shape[0], shape[1:]) if shape else (1, [])
    if not node.attribute("allowzero", 0):
        copied = (-1, *x.shape)
        rest = [copied[i] if length == 0 and i < len(copied) else length for i, length in enumerate(rest, 1)]
    if -1 in rest and (known := -math.prod(rest)) > 0 and elements % known == 0:
        rest[rest.index(-1)] = elements // known
    keeps_batch = first in (0, -1, BATCH) or first == t.batch
    if not keeps_batch or min(rest, default=1) < 1 or math.prod(rest) != elements:
        got = f"{shape_text(x.shape, batch=True)} to {shape_text([-1 if n == BATCH else n for n in shape])}"
        raise node.refusal("a shape that mixes examples", got=got, hint=_HINT)
    return with_shape(t, node, x, tuple(rest))


def flatten(t: Translation, node: Node) -> Symbol:
    """Translate the joining of all axes after the batch."""
    x, axis = t.array(node), node.attribute("axis", 1)
    if axis != 1 and axis + len(x.shape) + 1 != 1:
        raise node.refusal("the axes that it joins", got=f"axis {axis}", expected="axis 1", hint=_HINT)
    return with_shape(t, node, x, (math.prod(x.shape),))


def squeeze(t: Translation, node: Node) -> Symbol:
    """Translate the removal of axes of length 1."""
    x = t.array(node)
    axes = t.integers(node, 1, "axes")
    rank = len(x.shape) + 1
    if axes is None:
        axes = [i for i, length in enumerate(x.shape, 1) if length == 1]
    axes = [axis % rank for axis in axes]
    if 0 in axes or any(x.shape[axis - 1] != 1 for axis in axes):
        got = f"axes {axes} of {shape_text(x.shape, batch=True)}"
        raise node.refusal("axes that are not of length 1", got=got, hint=_HINT)
    return with_shape(t, node, x, tuple(n for i, n in enumerate(x.shape, 1) if i not in axes))


def unsqueeze(t: Translation, node: Node) -> Symbol:
    """Translate new axes of length 1."""
    x = t.array(node)
    axes = t.integers(node, 1, "axes") or []
    rank = len(x.shape) + 1 + len(axes)
    axes = [axis % rank for axis in axes]
    if 0 in axes:
        raise node.refusal("an axis before the batch", got=f"axes {axes}", hint=_HINT)
    left = iter(x.shape)
    return with_shape(t, node, x, tuple(1 if i in axes else next(left) for i in range(1, rank)))


def transpose(t: Translation, node: Node) -> Symbol:
    """Translate a change of the order of axes that moves no element."""
    x = t.array(node)
    order = list(node.attribute("perm", range(len(x.shape), -1, -1)))
    long = [axis for axis in order if axis == 0 or x.shape[axis - 1] > 1]
    if order[:1] != [0] or long != sorted(long):
        got = f"perm {order} of {shape_text(x.shape, batch=True)}"
        raise node.refusal("it moves elements", got=got, hint="numbatch works on the last axis, and never on others")
    return with_shape(t, node, x, tuple(x.shape[axis - 1] for axis in order[1:]))


def concatenate(t: Translation, node: Node) -> Symbol:
    """Translate arrays side by side along the last axis."""
    arrays = [t.numbers(node, i) for i in range(len(node.inputs))]
    axis, rank = node.attribute("axis", 1), len(arrays[0].shape) + 1
    if axis not in (rank - 1, -1):
        raise node.refusal("the axis that it joins", got=f"axis {axis} of {rank}", expected="the last one")
    return t.writer.concatenate(arrays, name=node.name) if len(arrays) > 1 else arrays[0]


def cast(t: Translation, node: Node) -> Symbol:
    """Translate another type of the same integers; casts to floats have been looked through."""
    symbol = t.array(node)
    if not symbol.integer:
        hint = "row numbers of a lookup table must come as integers"
        raise node.refusal("it rounds floats to integers, or truth values", hint=hint)
    return symbol


def pick(t: Translation, node: Node) -> Symbol:
    """Translate columns by constant numbers: a Gather, or an ArrayFeatureExtractor, which knows the last axis only."""
    x, indices = t.array(node), t.weights(node, 1, "indices")
    if node.op == "Gather":
        _check_last(node, x, node.attribute("axis", 0))
    else:
        indices = indices.reshape(-1)
    picked = _columns(t, node, x, [int(each) for each in indices.reshape(-1)], node.name)
    return with_shape(t, node, picked, (*x.shape[:-1], *indices.shape))


def cut(t: Translation, node: Node) -> Symbol:
    """Translate a Slice of the last axis."""
    x = t.array(node)
    starts, ends, axes, steps = (
        t.integers(node, i, name) for i, name in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    starts, ends = starts or [], ends or []
    columns = list(range(x.shape[-1]))
    for i, axis in enumerate(axes or range(len(starts))):
        window = slice(starts[i], None if ends[i] < -(2**31) else ends[i], steps[i] if steps else 1)
        if axis in (len(x.shape), -1):
            columns = columns[window]
        elif axis % (len(x.shape) + 1) == 0 or len(range(x.shape[axis - 1])[window]) < x.shape[axis - 1]:
            _check_last(node, x, axis)
    return _columns(t, node, x, columns, node.name)


def split(t: Translation, node: Node) -> list[Symbol]:
    """Translate an array taken apart along its last axis."""
    x, count = t.array(node), len(node.outputs)
    _check_last(node, x, node.attribute("axis", 0))
    each = -(-x.shape[-1] // count)
    lengths = t.integers(node, 1, "split") or [each] * (count - 1) + [x.shape[-1] - each * (count - 1)]
    ends = np.cumsum(lengths)
    return [
        _columns(t, node, x, list(range(end - length, end)), name)
        for name, length, end in zip(node.outputs, lengths, ends, strict=True)
    ]


def with_shape(t: Translation, node: Node, x: Symbol, shape: Shape) -> Symbol:
    """Return an array under other axes. Row numbers take them where they are looked up."""
    if x.integer:
        return x._replace(shape=shape)
    if not shape:
        output = node.outputs[0]
        if output not in t.network.outputs or t.network.users(output):
            hint = "keep an axis after the batch until the end"
            raise node.refusal("it leaves no axis but the batch", hint=hint)
        t.notes.append(f"Output {output!r} keeps an axis of length 1 after the batch.")
        shape = (1,)
    if x.shape == shape:
        t.left_out.append(node.name)
    return t.reshaped(x, shape, node.name)


def _columns(t: Translation, node: Node, x: Symbol, columns: list[int], name: str) -> Symbol:
    """Return some columns of an array, by numbers that may count from its end."""
    width = x.shape[-1]
    if not columns or any(not -width <= column < width for column in columns):
        raise node.refusal("columns that are not there", got=columns[:8], expected=f"some of 0 to {width - 1}")
    columns = [column % width for column in columns]
    if x.integer:
        return t.some_row_numbers(node, x, columns)
    if columns == list(range(width)):
        return x
    return t.writer.choose(x, columns, name=name)


def _check_last(node: Node, x: Symbol, axis: int) -> None:
    if axis not in (len(x.shape), -1):
        got = f"axis {axis} of {shape_text(x.shape, batch=True)}"
        raise node.refusal("it chooses along this axis", got=got, expected="the last one")
