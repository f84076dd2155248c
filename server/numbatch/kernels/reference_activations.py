"""The activations of `f32-1` in the oracle: scalar code, one number at a time, that shares nothing with the kernels.

The constants are written down once more as well. The formulas are explained where the kernels have theirs:
elementary.py, piecewise.py, smooth.py, gelu.py.
"""

import math
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd

_ZERO, _HALF, _ONE, _TWO, _THREE, _SIX = (np.float32(value) for value in (0, 0.5, 1, 2, 3, 6))
_INFINITY, _NAN = np.float32(np.inf), np.float32(np.nan)

_LOG2_E, _LN2_HI = np.float32(1.44269502162933349609375), np.float32(0.693147182464599609375)
_LN2_LO = np.float32(-1.904654299957767e-09)
_EXP = tuple(np.float32(1 / math.factorial(n)) for n in range(2, 8))


def _float32s(*values: float) -> tuple[np.float32, ...]:
    return tuple(np.float32(value) for value in values)


# Polynomials, the coefficient of x^0 first.
_LOG = _float32s(
    -0.49999997, 0.33333343, -0.2500029, 0.19999623, -0.1665229,
    0.14272042, -0.12750039, 0.11755426, -0.091268286, 0.03731934,
)  # fmt: skip
_TAIL = _float32s(
    0.7833698, -1.1151768, 0.97492164, -0.33844078, -0.2210407,
    0.19631654, 0.10755055, -0.10134112, -0.08747888, 0.03909161, 0.057047572,
)  # fmt: skip
_TAIL_CENTRE = np.float32(0.4490966796875)
_SELU_POSITIVE, _SELU_NEGATIVE = _float32s(1.0507009, 8.441664e-08), _float32s(1.7580993, 2.3296717e-08)
_W_LINEAR, _W_CUBIC = _float32s(1.5957692, -4.534068e-08), _float32s(0.071354814, 2.3988325e-09)


@intrinsic
def fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x y + z of three float32, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return simd.fma(builder, *args)

    return types.float32(types.float32, types.float32, types.float32), codegen


@numba.njit(error_model="numpy")
def _polynomial(coefficients: Any, x: np.float32) -> np.float32:
    value = coefficients[-1]
    for i in range(len(coefficients) - 2, -1, -1):
        value = fma(value, x, coefficients[i])
    return value


@numba.njit(error_model="numpy")
def _two_to(power: int) -> np.float32:
    return np.float32(math.ldexp(1.0, power))


@numba.njit(error_model="numpy")
def _reduce(x: np.float32) -> tuple[np.float32, int]:
    """Return r and b of x = b ln 2 + r."""
    whole = np.float32(np.rint(x * _LOG2_E))
    return fma(whole, -_LN2_LO, fma(whole, -_LN2_HI, x)), int(whole)


@numba.njit(error_model="numpy")
def _reduce_sum(x: np.float32, low: np.float32) -> tuple[np.float32, int]:
    """Return r and b of x + low = b ln 2 + r."""
    whole = np.float32(np.rint(x * _LOG2_E))
    return fma(whole, -_LN2_HI, x) + fma(whole, -_LN2_LO, low), int(whole)


@numba.njit(error_model="numpy")
def _expm1_of_rest(r: np.float32) -> np.float32:
    return fma(r * r, _polynomial(_EXP, r), r)


@numba.njit(error_model="numpy")
def _times_exp(y: np.float32, r: np.float32, b: int) -> tuple[np.float32, np.float32]:
    """Return v and a power of two s with v s = y exp(b ln 2 + r)."""
    first = y * _two_to(b // 2)
    return fma(first, _expm1_of_rest(r), first), _two_to(b - b // 2)


@numba.njit(error_model="numpy")
def exp(x: np.float32, alpha: np.float32 = _ZERO) -> np.float32:
    """Return exp(x)."""
    if x != x:
        return _NAN
    value, scale = _times_exp(_ONE, *_reduce(min(max(x, np.float32(-104)), np.float32(89))))
    return value * scale


@numba.njit(error_model="numpy")
def _expm1(x: np.float32) -> np.float32:
    """Return exp(x) - 1 for x <= 0."""
    r, b = _reduce(max(x, np.float32(-40)))
    return np.float32(math.copysign(fma(_two_to(b), _expm1_of_rest(r), _two_to(b) - _ONE), x))


@numba.njit(error_model="numpy")
def log1p(x: np.float32) -> np.float32:
    """Return log(1 + x) for x >= 0."""
    if x != x:
        return _NAN
    mantissa, k = math.frexp(x + _ONE)
    if mantissa < 0.75:
        k -= 1
    scale = _two_to(-k)
    f = fma(scale, x, scale - _ONE)
    log = fma(f * f, _polynomial(_LOG, f), f)
    return fma(np.float32(k), _LN2_HI, fma(np.float32(k), _LN2_LO, log))


@numba.njit(error_model="numpy")
def _linear(x: np.float32, alpha: np.float32) -> np.float32:
    return x


@numba.njit(error_model="numpy")
def _relu(x: np.float32, alpha: np.float32) -> np.float32:
    return x if x > _ZERO or x != x else _ZERO


@numba.njit(error_model="numpy")
def _relu6(x: np.float32, alpha: np.float32) -> np.float32:
    return _SIX if x > _SIX else _relu(x, alpha)


@numba.njit(error_model="numpy")
def _leaky_relu(x: np.float32, alpha: np.float32) -> np.float32:
    return x if x > _ZERO else alpha * x


@numba.njit(error_model="numpy")
def _softsign(x: np.float32, alpha: np.float32) -> np.float32:
    return np.float32(math.copysign(_ONE, x)) if abs(x) >= np.float32(2.0**30) else x / (_ONE + abs(x))


@numba.njit(error_model="numpy")
def _hard_sigmoid(x: np.float32, alpha: np.float32) -> np.float32:
    return _relu6(x + _THREE, alpha) / _SIX


@numba.njit(error_model="numpy")
def _hard_silu(x: np.float32, alpha: np.float32) -> np.float32:
    return -_ZERO if x <= -_THREE else x * _hard_sigmoid(x, alpha)


@numba.njit(error_model="numpy")
def _sigmoid(x: np.float32, alpha: np.float32) -> np.float32:
    e = exp(-abs(x))
    return e / (_ONE + e) if x < _ZERO else _ONE / (_ONE + e)


@numba.njit(error_model="numpy")
def _tanh(x: np.float32, alpha: np.float32) -> np.float32:
    m = _expm1(-_TWO * abs(x)) if x == x else x
    return np.float32(math.copysign(m / (m + _TWO), x))


@numba.njit(error_model="numpy")
def _elu(x: np.float32, alpha: np.float32) -> np.float32:
    return x if x > _ZERO or x != x else alpha * _expm1(x)


@numba.njit(error_model="numpy")
def _selu(x: np.float32, alpha: np.float32) -> np.float32:
    if x != x:
        return x
    value = x if x > _ZERO else _expm1(x)
    high, low = _SELU_POSITIVE if x > _ZERO else _SELU_NEGATIVE
    return fma(value, high, value * low)


@numba.njit(error_model="numpy")
def _silu(x: np.float32, alpha: np.float32) -> np.float32:
    if x >= _ZERO or x != x:
        return x / (_ONE + exp(-x))
    x = max(x, np.float32(-110))
    value, scale = _times_exp(x, *_reduce(x))
    return value / (_ONE + exp(x)) * scale


@numba.njit(error_model="numpy")
def _softplus(x: np.float32, alpha: np.float32) -> np.float32:
    return (x if x > _ZERO or x != x else _ZERO) + log1p(exp(-abs(x)))


@numba.njit(error_model="numpy")
def _log_sigmoid(x: np.float32, alpha: np.float32) -> np.float32:
    return -_softplus(-x, alpha)


@numba.njit(error_model="numpy")
def _mish(x: np.float32, alpha: np.float32) -> np.float32:
    if x != x:
        return x
    if x >= _ZERO:
        e = exp(-x)
        return x * (_ONE - e * (_TWO * e) / fma(_TWO * e, e + _ONE, _ONE))
    x = max(x, np.float32(-110))
    e = exp(x)
    value, scale = _times_exp(x, *_reduce(x))
    return value * (_ONE - e * (e + _ONE) / fma(e + _ONE, e + _ONE, _ONE)) * scale


@numba.njit(error_model="numpy")
def _product(x: np.float32, y: np.float32) -> tuple[np.float32, np.float32]:
    """Return x y rounded, and what that leaves."""
    return x * y, fma(x, y, -(x * y))


@numba.njit(error_model="numpy")
def _gelu_erf(x: np.float32, alpha: np.float32) -> np.float32:
    if x != x:
        return x
    a = min(abs(x), np.float32(14.5))
    reciprocal = _ONE / (a + _THREE)
    s = a * reciprocal
    s = fma(fma(-s, a, fma(-_THREE, s, a)), reciprocal, s)
    square, rest = _product(a, a)
    factor = s * _polynomial(_TAIL, s - _TAIL_CENTRE)
    tail, scale = _times_exp(factor, *_reduce_sum(-_HALF * square, -_HALF * rest))
    return fma(-tail, scale, -_ZERO if x < _ZERO else x)


@numba.njit(error_model="numpy")
def _gelu_tanh(x: np.float32, alpha: np.float32) -> np.float32:
    if x != x:
        return x
    below = max(-abs(x), np.float32(-11))
    square, square_rest = _product(below, below)
    cubic, rest = _product(_W_CUBIC[0], square)
    rest = fma(_W_CUBIC[0], square_rest, fma(_W_CUBIC[1], square, rest + _W_LINEAR[1]))
    larger, smaller = max(cubic, _W_LINEAR[0]), min(cubic, _W_LINEAR[0])
    total = larger + smaller
    rest = rest + (smaller - (total - larger))
    w, w_rest = _product(below, total)
    r, b = _reduce_sum(w, fma(below, rest, w_rest))
    value, scale = _times_exp(_ONE, r, b)
    e = value * scale
    if x >= _ZERO:
        return x / (e + _ONE)
    value, scale = _times_exp(below, r, b)
    return value / (e + _ONE) * scale


FUNCTIONS = {
    "linear": _linear,
    "relu": _relu,
    "relu6": _relu6,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "sigmoid": _sigmoid,
    "tanh": _tanh,
    "gelu_erf": _gelu_erf,
    "gelu_tanh": _gelu_tanh,
    "silu": _silu,
    "softplus": _softplus,
    "softsign": _softsign,
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": _hard_silu,
    "mish": _mish,
    "exponential": exp,
    "log_sigmoid": _log_sigmoid,
}
