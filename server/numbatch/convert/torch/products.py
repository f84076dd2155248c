"""Linear maps and normalisations: operators that have weights."""

import math
from collections.abc import Mapping

import numpy as np

from numbatch.convert.torch.conversion import Conversion, Converter
from numbatch.convert.torch.program import Node, refused
from numbatch.convert.torch.values import Value
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, Float32Array, shape_text


def _linear(c: Conversion, node: Node) -> Value:
    return _dense(c, node, c.value(node, "input"), c.required(node, "weight").T, c.constant(node, "bias"))


def _addmm(c: Conversion, node: Node) -> Value:
    """Bias + x W, as torch.export decomposes a Linear."""
    factors = np.float32(node.arguments.get("alpha", 1)), np.float32(node.arguments.get("beta", 1))
    kernel, bias = c.required(node, "mat2"), c.required(node, "self")
    units = kernel.shape[-1]
    if bias.ndim > 1 and math.prod(bias.shape[:-1]) != 1:
        raise refused(node, f"a bias of {shape_text(bias.shape)}", expected="the same for every row")
    bias = np.broadcast_to(bias.reshape(bias.shape[-1:]) * factors[1], (units,))
    return _dense(c, node, c.value(node, "mat1"), kernel * factors[0], bias)


def _matmul(c: Conversion, node: Node) -> Value:
    x, kernel = c.value(node), c.required(node, "mat2" if node.operation == "mm" else "other")
    if kernel.ndim == 1:
        name = c.inner_name(node, (*x.shape[:-1], 1))
        return c.shaped(node, c.graph.dense(x.symbol, kernel[:, None], name=name))
    return _dense(c, node, x, kernel)


def _batch_norm(c: Conversion, node: Node) -> Value:
    x = c.value(node, "input")
    if node.arguments.get("training", False):
        hint = "call eval() before exporting, and keep statistics (track_running_stats=True)"
        raise refused(node, "it normalises by the rows of the batch", expected="stored statistics", hint=hint)
    mean, variance = c.required(node, "running_mean"), c.required(node, "running_var")
    scale, offset = c.constant(node, "weight"), c.constant(node, "bias")
    epsilon, name = float(node.arguments["eps"]), c.name(node)
    if len(x.shape) == 1:
        symbol = c.graph.batch_normalization(x.symbol, mean, variance, scale, offset, epsilon=epsilon, name=name)
        return Value(symbol, x.shape)
    # PyTorch has the features in front of the other axes.
    behind = math.prod(x.shape[1:])
    mean, variance = np.repeat(mean, behind), np.repeat(variance, behind)
    scale, offset = (None if each is None else np.repeat(each, behind) for each in (scale, offset))
    symbol = c.graph.flatten(x.symbol, name=f"{name}/flat")
    inner = f"{name}/inner"
    symbol = c.graph.batch_normalization(symbol, mean, variance, scale, offset, epsilon=epsilon, name=inner)
    return c.shaped(node, symbol)


def _layer_norm(c: Conversion, node: Node) -> Value:
    x, axes = c.value(node, "input"), tuple(node.arguments["normalized_shape"])
    scale, offset = c.constant(node, "weight"), c.constant(node, "bias")
    epsilon, name = float(node.arguments.get("eps", 1e-5)), c.name(node)
    if len(axes) == 1 and x.shape:
        return Value(c.graph.layer_normalization(x.symbol, scale, offset, epsilon=epsilon, name=name), x.shape)
    if axes != x.shape:
        hint = "normalise the last axis, or all axes but the batch"
        raise refused(node, f"over axes {shape_text(axes)} of {shape_text(x.shape)}", expected="one axis", hint=hint)
    flat = c.graph.flatten(x.symbol, name=f"{name}/flat")
    scale, offset = _flat(scale), _flat(offset)
    return c.shaped(node, c.graph.layer_normalization(flat, scale, offset, epsilon=epsilon, name=f"{name}/inner"))


def _dense(c: Conversion, node: Node, x: Value, kernel: Array, bias: Array | None = None) -> Value:
    if kernel.ndim != 2 or not x.shape:
        got = f"a product of {shape_text(x.shape, batch=True)} and {shape_text(kernel.shape)}"
        raise refused(node, got, expected="rows and a matrix", reason=Reason.LAYER_UNSUPPORTED)
    return Value(c.graph.dense(x.symbol, kernel, bias, name=c.name(node)), c.shape(node))


def _flat(array: Float32Array | None) -> Float32Array | None:
    return None if array is None else array.reshape(-1)


CONVERTERS: Mapping[str, Converter] = {
    **{"linear": _linear, "addmm": _addmm, "mm": _matmul, "matmul": _matmul},
    **{"batch_norm": _batch_norm, "_native_batch_norm_legit_no_training": _batch_norm},
    **{"layer_norm": _layer_norm, "native_layer_norm": _layer_norm},
}
