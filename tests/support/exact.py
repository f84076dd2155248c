"""The activations as mathematics has them, to 200 bits."""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from mpmath import mp

BITS = 200

# What the functions that have one are tested with most: their defaults.
ALPHAS = {"leaky_relu": float(np.float32(0.01)), "elu": 1.0}

# Klambauer, Unterthiner, Mayr and Hochreiter (2017).
SELU_SCALE, SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"

# Beyond this exp(x) and exp(-x) are nothing beside a float32, and costly.
_FAR = 1000


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mpmath.exp(-x))


def _softplus(x: Any) -> Any:
    return mpmath.log1p(mpmath.exp(x))


def _relu6(x: Any) -> Any:
    return min(max(x, mp.mpf(0)), mp.mpf(6))


def _gelu_tanh(x: Any) -> Any:
    return x * _sigmoid(2 * mpmath.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))


EXACT: dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda x, alpha: x,
    "relu": lambda x, alpha: max(x, mp.mpf(0)),
    "relu6": lambda x, alpha: _relu6(x),
    "leaky_relu": lambda x, alpha: x if x > 0 else alpha * x,
    "elu": lambda x, alpha: x if x > 0 else alpha * mpmath.expm1(x),
    "selu": lambda x, alpha: mp.mpf(SELU_SCALE) * (x if x > 0 else mp.mpf(SELU_ALPHA) * mpmath.expm1(x)),
    "sigmoid": lambda x, alpha: _sigmoid(x),
    "tanh": lambda x, alpha: mpmath.tanh(x),
    "gelu_erf": lambda x, alpha: x * mpmath.erfc(-x / mpmath.sqrt(2)) / 2,
    "gelu_tanh": lambda x, alpha: _gelu_tanh(x),
    "silu": lambda x, alpha: x * _sigmoid(x),
    "softplus": lambda x, alpha: _softplus(x),
    "softsign": lambda x, alpha: x / (1 + abs(x)),
    "hard_sigmoid": lambda x, alpha: _relu6(x + 3) / 6,
    "hard_silu": lambda x, alpha: x * _relu6(x + 3) / 6,
    "mish": lambda x, alpha: x * mpmath.tanh(_softplus(x)),
    "exponential": lambda x, alpha: mpmath.exp(x),
    "log_sigmoid": lambda x, alpha: -_softplus(-x),
}

# What is left of the others when |x| > _FAR, for x < 0 and x > 0.
_AFAR: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "gelu_erf": (lambda x: mp.mpf(0), lambda x: x),
    "gelu_tanh": (lambda x: mp.mpf(0), lambda x: x),
    "silu": (lambda x: mp.mpf(0), lambda x: x),
    "mish": (lambda x: mp.mpf(0), lambda x: x),
    "softplus": (lambda x: mp.mpf(0), lambda x: x),
    "log_sigmoid": (lambda x: x, lambda x: mp.mpf(0)),
    "sigmoid": (lambda x: mp.mpf(0), lambda x: mp.mpf(1)),
    "exponential": (lambda x: mp.mpf(0), lambda x: mp.inf),
    "tanh": (lambda x: mp.mpf(-1), lambda x: mp.mpf(1)),
}


def exact(activation: str, x: float, alpha: float = 0.0) -> Any:
    """An activation of a finite number."""
    with mp.workprec(BITS):
        if abs(x) > _FAR and activation in _AFAR:
            return _AFAR[activation][x > 0](mp.mpf(x))
        return EXACT[activation](mp.mpf(x), mp.mpf(alpha))


def ulps(got: float, expected: Any) -> float:
    """The distance of a float32 result from an exact one, in units in the last place of the exact one.

    A result that overflows rightly, by rounding to nearest, has distance 0.
    """
    with mp.workprec(BITS):
        if np.isinf(got):
            return 0.0 if abs(expected) >= mp.mpf(2) ** 128 - mp.mpf(2) ** 103 and got * expected > 0 else np.inf
        exponent = max(mpmath.frexp(abs(expected))[1] - 1, -126)
        return float(abs(mp.mpf(got) - expected) / mp.mpf(2) ** (exponent - 23))
