"""BatchNormalization and LayerNormalization."""

import numpy as np

from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.translation import Translation
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import shape_text


def batch_normalization(t: Translation, node: Node) -> Symbol:
    """Translate a batch normalisation with stored statistics; ONNX' features are on the first axis after the batch."""
    if node.attribute("training_mode", 0):
        raise node.refusal(
            "it computes its statistics of the batch", expected="training_mode=0", hint="export for inference"
        )
    x = t.numbers(node)
    behind = (1,) * (len(x.shape) - 1)
    names = ("scale", "offset", "mean", "variance")
    arrays = {each: t.weights(node, i + 1, each).reshape(-1, *behind) for i, each in enumerate(names)}
    epsilon = float(node.attribute("epsilon", 1e-5))
    write = t.writer.batch_normalization
    return t.featurewise(node, x, arrays, lambda y, name, given: write(y, **given, epsilon=epsilon, name=name))


def layer_normalization(t: Translation, node: Node) -> Symbol:
    """Translate a normalisation over the last axis, or over all axes of an example."""
    x, axis = t.numbers(node), node.attribute("axis", -1)
    scale = t.weights(node, 1, "scale")
    offset = t.weights(node, 2, "offset") if node.has_input(2) else None
    axis %= len(x.shape) + 1
    epsilon, name = float(node.attribute("epsilon", 1e-5)), node.name
    if axis == len(x.shape):
        rows = [None if each is None else t.row(node, x, each) for each in (scale, offset)]
        return t.writer.layer_normalization(x, *rows, epsilon=epsilon, name=name)
    if axis != 1:
        got = f"axis {axis} of {shape_text(x.shape, batch=True)}"
        raise node.refusal("the axes that it normalises", got=got, expected="the last one, or all but the batch")
    spread = [None if each is None else t.per_example(node, x, each) for each in (scale, offset)]
    rows = [None if each is None else np.broadcast_to(each, x.shape).reshape(-1) for each in spread]
    flat = t.writer.flatten(x, name=f"{name}/flat")
    y = t.writer.layer_normalization(flat, *rows, epsilon=epsilon, name=f"{name}/elements")
    return t.writer.reshape(y, x.shape, name=name)


def softmax(t: Translation, node: Node) -> Symbol:
    """Translate a softmax or its logarithm over the last axis; until opset 13 all axes from `axis` on count as one."""
    x = t.numbers(node)
    axis = node.attribute("axis", 1 if node.opset < 13 else -1)
    axis %= len(x.shape) + 1
    if axis != len(x.shape):
        got = f"axis {axis} of {shape_text(x.shape, batch=True)}"
        raise node.refusal("the axis that it is computed over", got=got, expected="the last one")
    if node.op == "LogSoftmax":
        return t.writer.activation(x, "log_softmax", name=node.name)
    return t.writer.softmax(x, name=node.name)
