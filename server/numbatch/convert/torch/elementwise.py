"""Operators that work element by element: activations, sums, products."""

from collections.abc import Callable, Mapping

import numpy as np

from numbatch.convert.torch.conversion import Conversion, Converter, computed_numbers
from numbatch.convert.torch.program import Node, refused
from numbatch.convert.torch.values import Value, held
from numbatch.wire.errors import NumbatchError
from numbatch.wire.graph import Symbol
from numbatch.wire.layers import Shape
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, Float32Array, shape_text


def _activation(function: str, *, alpha: float | None = None) -> Converter:
    """Return what converts an operator that is an activation of the same meaning."""

    def convert(c: Conversion, node: Node) -> Value:
        return _activated(c, node, function, alpha)

    return convert


def _gelu(c: Conversion, node: Node) -> Value:
    return _activated(c, node, "gelu_tanh" if node.arguments.get("approximate") == "tanh" else "gelu_erf")


def _leaky_relu(c: Conversion, node: Node) -> Value:
    return _activated(c, node, "leaky_relu", float(node.arguments.get("negative_slope", 0.01)))


def _rrelu(c: Conversion, node: Node) -> Value:
    if node.arguments.get("training", False):
        raise refused(node, "in training mode", hint="call eval() before exporting")
    slopes = node.arguments.get("lower", 1 / 8), node.arguments.get("upper", 1 / 3)
    return _activated(c, node, "leaky_relu", float(sum(slopes) / 2))


def _prelu(c: Conversion, node: Node) -> Value:
    slopes = c.required(node, "weight")
    if slopes.size != 1:
        hint = "one slope for all features (num_parameters=1) is served as leaky_relu"
        raise _unsupported(node, f"{slopes.size} slopes", expected="one", hint=hint)
    return _activated(c, node, "leaky_relu", float(slopes.reshape(-1)[0]))


def _elu(c: Conversion, node: Node) -> Value:
    if node.arguments.get("scale", 1) != 1 or node.arguments.get("input_scale", 1) != 1:
        raise _unsupported(node, "scales", expected="scale and input_scale of 1")
    return _activated(c, node, "elu", float(node.arguments.get("alpha", 1.0)))


def _celu(c: Conversion, node: Node) -> Value:
    if node.arguments.get("alpha", 1.0) != 1:
        raise _unsupported(node, f"alpha {node.arguments['alpha']}", expected="1, which is elu")
    return _activated(c, node, "elu", 1.0)


def _softplus(c: Conversion, node: Node) -> Value:
    if node.arguments.get("beta", 1) != 1:
        raise _unsupported(node, f"beta {node.arguments['beta']}", expected="1", hint="scale x before and after")
    threshold = node.arguments.get("threshold", 20)
    if threshold < 15:  # beyond 15, the rest of the exact function is below the last digits of a float32
        raise _unsupported(node, f"threshold {threshold}", expected="15 or more")
    return _activated(c, node, "softplus")


def _clamp(c: Conversion, node: Node) -> Value:
    """relu, relu6, and what is written as hardtanh or clamp with their bounds."""
    hardtanh = node.operation.startswith("hardtanh")
    low = node.arguments.get("min_val", -1) if hardtanh else node.arguments.get("min")
    high = node.arguments.get("max_val", 1) if hardtanh else node.arguments.get("max")
    if low == 0 and high in (None, 6, np.inf):
        return _activated(c, node, "relu6" if high == 6 else "relu")
    raise _unsupported(node, f"bounds {low} and {high}", expected="0 and 6, or 0 and none")


def _softmax(c: Conversion, node: Node) -> Value:
    return Value(c.graph.softmax(_last_axis(c, node), name=c.name(node)), c.shape(node))


def _log_softmax(c: Conversion, node: Node) -> Value:
    return Value(c.graph.activation(_last_axis(c, node), "log_softmax", name=c.name(node)), c.shape(node))


def _add(c: Conversion, node: Node) -> Value | Array:
    return _sum(c, node, 1.0, float(node.arguments.get("alpha", 1)))


def _sub(c: Conversion, node: Node) -> Value | Array:
    return _sum(c, node, 1.0, -float(node.arguments.get("alpha", 1)))


def _rsub(c: Conversion, node: Node) -> Value | Array:
    return _sum(c, node, -float(node.arguments.get("alpha", 1)), 1.0)


def _neg(c: Conversion, node: Node) -> Value | Array:
    x = c.taken(node, node.arguments["self"])
    return affine(c, node, x, np.asarray(-1, np.float32)) if isinstance(x, Value) else -x


def _mul(c: Conversion, node: Node) -> Value | Array:
    a, b = (c.taken(node, node.arguments[key]) for key in ("self", "other"))
    if isinstance(a, Value) and isinstance(b, Value):
        pair = [widened(c, node, each) for each in (a, b)]
        return Value(c.graph.multiply(pair, name=c.name(node)), c.shape(node))
    if isinstance(a, Value):
        return affine(c, node, a, c.weights(np.asarray(b), "other"))
    if isinstance(b, Value):
        return affine(c, node, b, c.weights(a, "self"))
    return np.asarray(a * b)


def _div(c: Conversion, node: Node) -> Value | Array:
    if node.arguments.get("rounding_mode") is not None:
        raise refused(node, f"rounding_mode {node.arguments['rounding_mode']}", expected="none")
    if _is_softsign(c, node):
        return _activated(c, node, "softsign")
    a, b = (c.taken(node, node.arguments[key]) for key in ("self", "other"))
    if isinstance(b, Value):
        raise refused(node, "division by a computed array", expected="by a stored one")
    with np.errstate(all="ignore"):
        if not isinstance(a, Value):
            return np.asarray(a / b)
        return affine(c, node, a, (1 / b.astype(np.float64)).astype(np.float32))


def _power(c: Conversion, node: Node) -> Value:
    if node.operation != "square" and node.arguments.get("exponent") != 2:
        raise refused(node, f"exponent {node.arguments.get('exponent')}", expected="2")
    x = c.value(node)
    return Value(c.graph.multiply([x.symbol, x.symbol], name=c.name(node)), c.shape(node))


def affine(c: Conversion, node: Node, x: Value, scale: Array | None = None, offset: Array | None = None) -> Value:
    """Add scale x + offset, each a number or an array that broadcasts with the example."""
    shape = c.shape(node)
    symbol, name = widened(c, node, x), c.name(node)
    scale, offset = (None if each is None else _aligned(node, each, shape) for each in (scale, offset))
    if all(each is None or each.ndim <= 1 for each in (scale, offset)):
        return Value(c.graph.affine(symbol, scale, offset, name=name), shape)
    flat = c.graph.flatten(symbol, name=f"{name}/flat")
    scale, offset = (None if each is None else np.broadcast_to(each, shape).reshape(-1) for each in (scale, offset))
    symbol = c.graph.affine(flat, scale, offset, name=f"{name}/affine")
    return Value(c.graph.reshape(symbol, shape, name=name), shape)


def widened(c: Conversion, node: Node, x: Value) -> Symbol:
    """Return an array under the axes of a node's output: a last axis of 1 is repeated, as PyTorch broadcasts it."""
    if x.symbol.integer:
        raise computed_numbers(node)
    shape = c.shape(node)
    if x.shape == shape:
        return x.symbol
    if x.shape and len(x.shape) == len(shape) and x.shape == (*shape[:-1], 1):
        ones = np.ones((1, shape[-1]), np.float32)
        return c.graph.dense(x.symbol, ones, name=f"{c.name(node)}/wide")
    got, hint = shape_text(x.shape), "give both the same axes; only a last axis of 1 is repeated"
    raise refused(node, f"broadcasting of {got} to {shape_text(shape)}", expected="equal shapes", hint=hint)


def _sum(c: Conversion, node: Node, first: float, second: float) -> Value | Array:
    a, b = (c.taken(node, node.arguments[key]) for key in ("self", "other"))
    if isinstance(a, Value) and isinstance(b, Value):
        pair = [_times(c, node, each, factor) for each, factor in ((a, first), (b, second))]
        return Value(c.graph.add(pair, name=c.name(node)), c.shape(node))
    if isinstance(a, Value):
        return affine(c, node, a, _factor(first), second * c.weights(np.asarray(b), "other"))
    if isinstance(b, Value):
        return affine(c, node, b, _factor(second), first * c.weights(a, "self"))
    return np.asarray(first * a + second * b)


def _times(c: Conversion, node: Node, x: Value, factor: float) -> Symbol:
    symbol = widened(c, node, x)
    return symbol if factor == 1 else c.graph.affine(symbol, np.float32(factor), name=f"{c.name(node)}/scaled")


def _factor(factor: float) -> Float32Array | None:
    return None if factor == 1 else np.asarray(factor, np.float32)


def _aligned(node: Node, array: Array, shape: Shape) -> Array:
    """Return a stored array that broadcasts with rows of examples, without axes in front that have no length."""
    array = np.asarray(array)
    if array.ndim > len(shape) and array.shape[: array.ndim - len(shape)] != (1,) * (array.ndim - len(shape)):
        raise refused(node, f"a stored array of {shape_text(array.shape)}", expected="the same for every row")
    while array.ndim and (array.shape[0] == 1 and array.ndim > 1 or array.ndim > len(held(shape))):
        array = array[0]
    return array


def _last_axis(c: Conversion, node: Node) -> Symbol:
    x = c.value(node)
    rank = len(x.shape) + 1
    if c.axis(node, node.arguments.get("dim", -1), rank) != rank - 1:
        raise refused(node, f"over axis {node.arguments['dim']}", expected="over the last axis")
    return x.symbol


def _is_softsign(c: Conversion, node: Node) -> bool:
    """Whether a division is x / (|x| + 1)."""
    one = c.maker(node.arguments["other"])
    if one is None or one.operation != "add" or one.arguments.get("other") != 1 or one.arguments.get("alpha", 1) != 1:
        return False
    magnitude = c.maker(one.arguments.get("self"))
    return (
        magnitude is not None
        and magnitude.operation == "abs"
        and (magnitude.arguments["self"] == node.arguments["self"])
    )


def _activated(c: Conversion, node: Node, function: str, alpha: float | None = None) -> Value:
    x = c.value(node)
    return Value(c.graph.activation(x.symbol, function, alpha=alpha, name=c.name(node)), x.shape)


def _unsupported(node: Node, problem: str, *, expected: object = "", hint: str = "") -> NumbatchError:
    return refused(node, problem, expected=expected, hint=hint, reason=Reason.ACTIVATION_UNSUPPORTED)


_SAME = {
    **{name: name for name in ("relu", "relu6", "sigmoid", "tanh", "selu", "silu", "mish", "log_sigmoid")},
    **{"hardsigmoid": "hard_sigmoid", "hardswish": "hard_silu", "exp": "exponential"},
}

CONVERTERS: Mapping[str, Callable[[Conversion, Node], Value | Array]] = {
    **{operation: _activation(function) for operation, function in _SAME.items()},
    **{
        "gelu": _gelu,
        "leaky_relu": _leaky_relu,
        "rrelu": _rrelu,
        "prelu": _prelu,
        "_prelu_kernel": _prelu,
        "elu": _elu,
    },
    **{"celu": _celu, "softplus": _softplus, "hardtanh": _clamp, "clamp": _clamp, "clamp_min": _clamp},
    **{"softmax": _softmax, "_softmax": _softmax, "log_softmax": _log_softmax, "_log_softmax": _log_softmax},
    **{"add": _add, "sub": _sub, "rsub": _rsub, "neg": _neg, "mul": _mul, "div": _div, "pow": _power, "square": _power},
}
