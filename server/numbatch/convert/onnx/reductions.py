"""Sums and means over the last axis -> dense layers of one unit whose weights are all the same."""

import numpy as np

from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.shapes import with_shape
from numbatch.convert.onnx.tables import reduced_axes
from numbatch.convert.onnx.translation import Translation
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import shape_text


def reduce(t: Translation, node: Node) -> Symbol:
    """Translate a ReduceSum or a ReduceMean."""
    x, axes = t.numbers(node), reduced_axes(t, node)
    rank, width = len(x.shape) + 1, x.shape[-1]
    if [axis % rank for axis in axes] != [rank - 1]:
        got = f"axes {axes or 'all'} of {shape_text(x.shape, batch=True)}"
        expected = "the last axis, or that of the row numbers straight after a lookup"
        raise node.refusal("the axes that it sums over", got=got, expected=expected)
    weight = 1.0 if node.op == "ReduceSum" else 1 / width
    y = t.writer.dense(x, np.full((width, 1), weight), name=node.name)
    return y if node.attribute("keepdims", 1) else with_shape(t, node, y, x.shape[:-1])
