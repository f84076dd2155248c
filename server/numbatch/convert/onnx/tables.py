"""Lookups of rows in constant tables, and what is made of the rows."""

import numpy as np

from numbatch.convert.onnx.matching import Constant, Found, Input, Number, Op, either
from numbatch.convert.onnx.network import Network
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.shapes import pick
from numbatch.convert.onnx.translation import Translation, finite
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import Array, shape_text


def gather(t: Translation, node: Node) -> Symbol:
    """Translate rows of a constant table by their numbers, or columns of an array by constant ones."""
    if t.constant(node, 0) is None:
        return pick(t, node)
    return _embedding(t, node, t.weights(node, 0, "table"), node.inputs[1], "", None)


def one_hot(t: Translation, node: Node) -> Symbol:
    """Translate ones in the places that integers name: the rows of an identity matrix."""
    depth, values = t.weights(node, 1, "depth"), t.weights(node, 2, "values").reshape(-1)
    if node.attribute("axis", -1) not in (-1, len(t.array(node).shape) + 1):
        raise node.refusal("the axis of its ones", got=node.attribute("axis", -1), expected="a new last one")
    off, on = float(values[0]), float(values[1])
    table = np.eye(int(depth.reshape(-1)[0])) * (on - off) + off
    return _embedding(t, node, table, node.inputs[0], "", None)


def pooled(t: Translation, node: Node, found: Found) -> Symbol:
    """Translate the sum or the mean of the rows that are looked up."""
    pooling = "sum" if found.nodes["pool"].op == "ReduceSum" else "mean"
    ids = t.array(node, found.tensors["ids"])
    reduce = found.nodes["pool"]
    axes = reduced_axes(t, reduce)
    rank = len(ids.shape) + 2
    if [axis % rank for axis in axes] != [rank - 2]:
        got = f"axes {axes} of the rows of row numbers {shape_text(ids.shape, batch=True)}"
        raise node.refusal("the axes that it pools", got=got, expected="the last one of the row numbers")
    table = finite(node, found.constants["table"], "table")
    y = _embedding(t, node, table, found.tensors["ids"], pooling, None)
    kept = (*ids.shape[:-1], 1, y.shape[-1])
    return t.reshaped(y, kept, f"{node.name}/kept") if reduce.attribute("keepdims", 1) else y


def masked_mean(t: Translation, node: Node, found: Found) -> Symbol:
    """Translate the mean of the rows of all numbers but one, as `to_onnx` writes it."""
    padding = int(found.constants["padding"].reshape(-1)[0])
    table = finite(node, found.constants["table"], "table")
    pool, count = found.nodes["pool"], found.nodes["count"]
    is_mean = (
        reduced_axes(t, pool) == [-2]
        and reduced_axes(t, count) == [-1]
        and not pool.attribute("keepdims", 1)
        and count.attribute("keepdims", 1)
        and not np.any(table[padding])
    )
    if not is_mean:
        raise node.refusal("it divides by a number of rows", hint="leave the division to what takes the model's output")
    return _embedding(t, node, table, found.tensors["ids"], "mean", padding)


def reduced_axes(t: Translation, node: Node) -> list[int]:
    """Return the axes of a reduction: an attribute, or an input since opset 13 (ReduceSum) or 18 (the others)."""
    return t.integers(node, 1, "axes") or []


def _gathers_rows(_network: Network, node: Node) -> bool:
    return bool(node.attribute("axis", 0) == 0)


_IDS = Input("ids")
_ROWS = Op("Gather", Constant("table"), _IDS, where=_gathers_rows)
POOLED = either(Op("ReduceSum", _ROWS, name="pool"), Op("ReduceMean", _ROWS, name="pool"))
_COUNT = Op("ReduceSum", Op("Not", Op("Equal", _IDS, Constant("padding"))), name="count")
MASKED_MEAN = Op("Div", Op("ReduceSum", _ROWS, name="pool"), Op("Max", _COUNT, Number(1)))


def _embedding(t: Translation, node: Node, table: Array, ids: str, pooling: str, padding: int | None) -> Symbol:
    seen = t.array(node, ids)
    if not seen.integer:
        raise node.refusal("its row numbers are computed", got=ids, expected="an integer input of the model")
    if node.attribute("axis", 0) != 0 and node.op == "Gather":
        raise node.refusal("it looks up columns of a table", got=f"axis {node.attribute('axis')}", expected="axis 0")
    if table.ndim != 2:
        raise node.refusal("its table", got=shape_text(table.shape), expected="[rows, units]")
    given, start, stop = t.row_numbers[seen.name]
    stop_or_end = stop if start or stop < given.shape[-1] else 0
    taken = (*given.shape[:-1], stop - start)
    name = node.name
    if pooling:
        if taken != seen.shape:
            hint = "give the row numbers the axes that they are pooled in"
            raise node.refusal("it pools row numbers under other axes than those of the input", hint=hint)
        return t.writer.embedding(
            given, table, pooling=pooling, padding_id=padding, name=name, start=start, stop=stop_or_end
        )
    if taken == (*seen.shape, 1):  # the sum of a single row is the row, without an axis for it
        return t.writer.embedding(given, table, pooling="sum", name=name, start=start, stop=stop_or_end)
    shape = (*seen.shape, table.shape[1])
    if seen.shape == taken:
        return t.writer.embedding(given, table, name=name, start=start, stop=stop_or_end)
    return t.reshaped(t.writer.embedding(given, table, name=f"{name}/rows", start=start, stop=stop_or_end), shape, name)
