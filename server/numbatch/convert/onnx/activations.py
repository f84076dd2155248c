"""How activations look in ONNX: as operators of their own, or composed of others, as exporters write them."""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from numbatch.convert.onnx.matching import Found, Input, Number, Op, Part, either, times
from numbatch.convert.onnx.network import Network
from numbatch.convert.onnx.nodes import Node

# What ONNX has for Selu where a model gives nothing: float32 near the true numbers.
SELU_ALPHA, SELU_GAMMA = 1.6732632423543773, 1.0507009873554805


class Activated(NamedTuple):
    """An activation: of which tensor, which function, and its parameter."""

    tensor: str
    function: str
    alpha: float | None = None


def find_activation(network: Network, node: Node) -> Activated | None:
    """Return the activation whose output is a node's, or None."""
    for function, part in _BY_ROOT.get(node.op, ()):
        found = next(part.fits(network, node.outputs[0], Found()), None)
        if found:
            return Activated(found.tensors["x"], function, _alpha(function, node))
    return None


def clip_bounds(network: Network, node: Node) -> tuple[float, float] | None:
    """Return the bounds of a Clip: attributes until opset 11, inputs from then on. None: they are not constants."""
    if node.opset < 11:
        return node.attribute("min", -math.inf), node.attribute("max", math.inf)
    bounds = [-math.inf, math.inf]
    for i in (0, 1):
        if node.has_input(i + 1):
            value = network.constant(node.inputs[i + 1])
            if value is None or value.size != 1:
                return None
            bounds[i] = float(value.reshape(-1)[0])
    limit = float(np.finfo(np.float32).max)
    return bounds[0] if bounds[0] > -limit else -math.inf, bounds[1] if bounds[1] < limit else math.inf


def _alpha(function: str, node: Node) -> float | None:
    if function == "leaky_relu":
        return float(node.attribute("alpha", 0.01))
    return float(node.attribute("alpha", 1.0)) if function == "elu" else None


def _attributes(**expected: float) -> Callable[[Network, Node], bool]:
    """Return a condition: attributes have these values, or are not there and have them by default."""
    return lambda _network, node: all(
        math.isclose(node.attribute(name, _DEFAULTS.get((node.op, name), math.nan)), value, rel_tol=1e-6)
        for name, value in expected.items()
    )


_DEFAULTS: Mapping[tuple[str, str], float] = {
    ("Celu", "alpha"): 1.0,
    ("HardSigmoid", "alpha"): 0.2,
    ("HardSigmoid", "beta"): 0.5,
    ("Selu", "alpha"): SELU_ALPHA,
    ("Selu", "gamma"): SELU_GAMMA,
    ("Swish", "alpha"): 1.0,
}


def _clips(low: float, high: float) -> Callable[[Network, Node], bool]:
    return lambda network, node: clip_bounds(network, node) == (low, high)


def _is_last_axis(_network: Network, node: Node) -> bool:
    return node.opset >= 13 and node.attribute("axis", -1) == -1


def _approximates(approximate: str) -> Callable[[Network, Node], bool]:
    return lambda _network, node: node.attribute("approximate", "none") == approximate


def _has_one_input(_network: Network, node: Node) -> bool:
    return not node.has_input(1)


def _gelu(x: Part, inner: Part) -> Part:
    """Return x / 2 (1 + inner), whichever of the three is halved."""
    one_and = Op("Add", inner, Number(1))
    return either(
        Op("Mul", times(x, 0.5), one_and), Op("Mul", x, times(one_and, 0.5)), times(Op("Mul", x, one_and), 0.5)
    )


def _tanh_of_cubic(x: Part) -> Part:
    """Return tanh(sqrt(2 / pi) (x + 0.044715 x^3)), in the ways in which it is written."""
    c, k = math.sqrt(2 / math.pi), 0.044715
    square = either(Op("Mul", x, x), Op("Pow", x, Number(2)))
    cube = either(Op("Pow", x, Number(3)), Op("Mul", x, square))
    cubic = either(times(cube, k), Op("Mul", times(x, k), square), Op("Mul", times(square, k), x))
    outside = times(Op("Add", x, cubic), c)
    factor = Op("Add", either(times(square, k), Op("Mul", times(x, k), x)), Number(1))
    inside = either(Op("Mul", times(x, c), factor), times(Op("Mul", x, factor), c))
    return Op("Tanh", either(outside, inside))


def _composed() -> Mapping[str, tuple[Part, ...]]:
    x = Input("x")
    minus_x = either(Op("Neg", x), Op("Mul", x, Number(-1)))
    one_and_exp = Op("Add", Op("Exp", minus_x), Number(1))
    sigmoid = either(Op("Sigmoid", x), Op("Div", Number(1), one_and_exp), Op("Reciprocal", one_and_exp))
    softplus = either(Op("Softplus", x), Op("Log", Op("Add", Op("Exp", x), Number(1))))
    of_minus_x = either(Op("Softplus", minus_x), Op("Log", Op("Add", Op("Exp", minus_x), Number(1))))
    x_and_3 = Op("Add", x, Number(3))
    relu6_of_it = either(Op("Clip", x_and_3, where=_clips(0, 6)), Op("Min", Op("Relu", x_and_3), Number(6)))
    hard_sigmoid = either(Op("HardSigmoid", x, where=_attributes(alpha=1 / 6, beta=0.5)), times(relu6_of_it, 1 / 6))
    return {
        "gelu_erf": (
            Op("Gelu", x, where=_approximates("none")),
            Op("com.microsoft.Gelu", x),
            _gelu(x, Op("Erf", times(x, math.sqrt(0.5)))),
        ),
        "gelu_tanh": (
            Op("Gelu", x, where=_approximates("tanh")),
            Op("com.microsoft.FastGelu", x, where=_has_one_input),
            _gelu(x, _tanh_of_cubic(x)),
        ),
        "silu": (Op("Swish", x, where=_attributes(alpha=1)), Op("Mul", x, sigmoid)),
        "hard_silu": (Op("HardSwish", x), Op("Mul", x, hard_sigmoid), times(Op("Mul", x, relu6_of_it), 1 / 6)),
        "hard_sigmoid": (hard_sigmoid,),
        "mish": (Op("Mish", x), Op("Mul", x, Op("Tanh", softplus))),
        "log_sigmoid": (Op("Log", sigmoid), Op("Neg", of_minus_x)),
        "log_softmax": (
            Op("LogSoftmax", x, where=_is_last_axis),
            Op("Log", Op("Softmax", x, where=_is_last_axis)),
        ),
        "softmax": (Op("Softmax", x, where=_is_last_axis),),
        "softplus": (softplus, Op("Where", Op("Greater", x, Number(20)), x, Op("Softplus", x))),
        "softsign": (Op("Softsign", x), Op("Div", x, Op("Add", Op("Abs", x), Number(1)))),
        "sigmoid": (sigmoid,),
        "relu6": (Op("Clip", x, where=_clips(0, 6)), Op("Min", Op("Relu", x), Number(6))),
        "relu": (Op("Relu", x), Op("Clip", x, where=_clips(0, math.inf)), Op("Max", x, Number(0))),
        "leaky_relu": (Op("LeakyRelu", x),),
        "elu": (Op("Elu", x), Op("Celu", x, where=_attributes(alpha=1))),
        "selu": (Op("Selu", x, where=_attributes(alpha=SELU_ALPHA, gamma=SELU_GAMMA)),),
        "tanh": (Op("Tanh", x),),
        "exponential": (Op("Exp", x),),
    }


_BY_ROOT: dict[str, list[tuple[str, Part]]] = {}
for _function, _parts in _composed().items():
    for _part in _parts:
        for _root in _part.roots():
            _BY_ROOT.setdefault(_root, []).append((_function, _part))
