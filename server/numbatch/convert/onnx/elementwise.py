"""Arithmetic with constants -> affine layers; of two arrays -> sums and products; what is composed of an activation."""

import math

import numpy as np

from numbatch.convert.onnx.activations import SELU_ALPHA, SELU_GAMMA, clip_bounds
from numbatch.convert.onnx.nodes import Node
from numbatch.convert.onnx.translation import Translation
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import Array, shape_text


def add(t: Translation, node: Node) -> Symbol:
    """Translate a + b."""
    x, constant = _array_and_constant(t, node)
    if constant is not None:
        return t.affine(node, x, None, constant)
    return t.writer.add(_alike(t, node, [t.numbers(node, i) for i in range(2)]), name=node.name)


def multiply(t: Translation, node: Node) -> Symbol:
    """Translate a b."""
    x, constant = _array_and_constant(t, node)
    if constant is not None:
        return t.affine(node, x, constant, None)
    return t.writer.multiply(_alike(t, node, [t.numbers(node, i) for i in range(2)]), name=node.name)


def subtract(t: Translation, node: Node) -> Symbol:
    """Translate a - b."""
    x, constant = _array_and_constant(t, node)
    if constant is not None:
        is_right = t.constant(node, 1) is not None
        return t.affine(node, x, None, -constant) if is_right else t.affine(node, x, -1.0, constant)
    a, b = _alike(t, node, [t.numbers(node, i) for i in range(2)])
    return t.writer.add([a, t.writer.affine(b, -1.0, name=f"{node.name}/minus")], name=node.name)


def divide(t: Translation, node: Node) -> Symbol:
    """Translate a / b, of a constant b."""
    divisor = t.constant(node, 1)
    if divisor is None:
        hint = "multiply by what does not depend on the inputs, or leave the division to the caller"
        raise node.refusal(
            "it divides by an array that depends on the model's inputs", expected="a constant", hint=hint
        )
    with np.errstate(divide="ignore"):
        scale = 1 / np.asarray(divisor, np.float64)
    return t.affine(node, t.numbers(node), scale, None)


def negate(t: Translation, node: Node) -> Symbol:
    """Translate -x."""
    return t.affine(node, t.numbers(node), -1.0, None)


def power(t: Translation, node: Node) -> Symbol:
    """Translate x to the power of 1, 2 or 3."""
    exponent = t.constant(node, 1)
    if exponent is None or exponent.size != 1 or float(exponent.reshape(-1)[0]) not in (1, 2, 3):
        raise node.refusal("this exponent", got="an array" if exponent is None else exponent, expected="1, 2 or 3")
    x, times = t.numbers(node), int(exponent.reshape(-1)[0])
    return t.writer.multiply([x] * times, name=node.name) if times > 1 else x


def total(t: Translation, node: Node) -> Symbol:
    """Translate the sum of any number of arrays, or their mean."""
    arrays = _alike(t, node, [t.numbers(node, i) for i in range(len(node.inputs))])
    if len(arrays) == 1:
        return arrays[0]
    if node.op == "Sum":
        return t.writer.add(arrays, name=node.name)
    added = t.writer.add(arrays, name=f"{node.name}/sum")
    return t.affine(node, added, 1 / len(arrays), None)


def clip(t: Translation, node: Node) -> Symbol:
    """Translate bounds other than those of relu and relu6, which are what they are made of."""
    bounds, x, name = clip_bounds(t.network, node), t.numbers(node), node.name
    if bounds is None:
        raise node.refusal("its bounds", got="arrays", expected="two constant numbers")
    low, high = bounds
    if low == -math.inf and high == math.inf:
        return x
    if low > high:
        raise node.refusal("its bounds", got=f"{low:g} to {high:g}", expected="the lower one first")
    if high == math.inf:
        above = t.writer.activation(t.affine(node, x, None, -low, f"{name}/shift"), "relu", name=f"{name}/relu")
        return t.affine(node, above, None, low)
    if low == -math.inf:
        below = t.writer.activation(t.affine(node, x, -1.0, high, f"{name}/shift"), "relu", name=f"{name}/relu")
        return t.affine(node, below, -1.0, high)
    return _ramp(t, node, x, 1.0, 0.0, low, high)


def hard_sigmoid(t: Translation, node: Node) -> Symbol:
    """Translate min(max(alpha x + beta, 0), 1) for any alpha and beta."""
    return _ramp(t, node, t.numbers(node), node.attribute("alpha", 0.2), node.attribute("beta", 0.5), 0.0, 1.0)


def celu(t: Translation, node: Node) -> Symbol:
    """Translate alpha elu(x / alpha)."""
    alpha, name = node.attribute("alpha", 1.0), node.name
    inner = t.affine(node, t.numbers(node), 1 / alpha, None, f"{name}/shrunk")
    return t.affine(node, t.writer.activation(inner, "elu", name=f"{name}/elu"), alpha, None)


def selu(t: Translation, node: Node) -> Symbol:
    """Translate gamma elu(x, alpha), for other numbers than those of the scaled ELU."""
    alpha, gamma = node.attribute("alpha", SELU_ALPHA), node.attribute("gamma", SELU_GAMMA)
    inner = t.writer.activation(t.numbers(node), "elu", alpha=alpha, name=f"{node.name}/elu")
    return t.affine(node, inner, gamma, None)


def prelu(t: Translation, node: Node) -> Symbol:
    """Translate x where x > 0, else slope x: a leaky_relu, or relu(x) - slope relu(-x) where the slopes differ."""
    slope, x, name = t.weights(node, 1, "slope"), t.numbers(node), node.name
    if np.all(slope == slope.reshape(-1)[0]):
        return t.writer.activation(x, "leaky_relu", alpha=float(slope.reshape(-1)[0]), name=name)
    above = t.writer.activation(x, "relu", name=f"{name}/above")
    minus = t.writer.affine(x, -1.0, name=f"{name}/minus")
    below = t.affine(node, t.writer.activation(minus, "relu", name=f"{name}/below"), -slope, None, f"{name}/slope")
    return t.writer.add([above, below], name=name)


def _ramp(t: Translation, node: Node, x: Symbol, alpha: float, beta: float, low: float, high: float) -> Symbol:
    """Write min(max(alpha x + beta, low), high) as a relu6 between two affine layers."""
    name, width = node.name, (high - low) / 6
    if width == 0:
        raise node.refusal("its bounds", got=f"{low:g} to {high:g}", expected="two that differ")
    inner = t.affine(node, x, alpha / width, (beta - low) / width, f"{name}/stretch")
    return t.affine(node, t.writer.activation(inner, "relu6", name=f"{name}/relu6"), width, low)


def _array_and_constant(t: Translation, node: Node) -> tuple[Symbol, Array | None]:
    """Return the two sides of an operation if one is a constant; else an array and None."""
    for i in (0, 1):
        if (constant := t.constant(node, i)) is not None:
            return t.numbers(node, 1 - i), constant
    return t.numbers(node), None


def _alike(t: Translation, node: Node, arrays: list[Symbol]) -> list[Symbol]:
    """Return arrays of one shape; a single column beside rows is repeated (by a dense layer of ones)."""
    widest = max((each.shape for each in arrays), key=lambda shape: (len(shape), math.prod(shape)))
    alike = []
    for i, each in enumerate(arrays):
        if each.shape != widest:
            if each.shape != (*widest[:-1], 1):
                got = " and ".join(shape_text(a.shape, batch=True) for a in arrays)
                hint = "give them the same shape; only a last axis of 1 is repeated"
                raise node.refusal("arrays of different shapes", got=got, hint=hint)
            each = t.writer.dense(each, np.ones((1, widest[-1])), name=f"{node.name}/repeated_{i}")
        alike.append(each)
    return alike
