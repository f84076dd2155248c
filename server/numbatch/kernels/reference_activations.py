"""The activations of `f32-1` in the oracle: scalar code, one number at a time, that shares nothing with the kernels.

The constants are written down once more as well. The formulas are explained where the kernels have theirs:
piecewise.py, smooth.py, gelu.py.
"""

import math

import numba
import numpy as np

from numbatch.kernels.reference_elementary import (
    exp,
    expm1,
    float32s,
    fma,
    log1p,
    polynomial,
    reduce,
    reduce_sum,
    times_exp,
)

_ZERO, _HALF, _ONE, _TWO, _THREE, _SIX = float32s(0, 0.5, 1, 2, 3, 6)
_SELU_POSITIVE, _SELU_NEGATIVE = float32s(1.0507009, 8.441664e-08), float32s(1.7580993, 2.3296717e-08)
_W_LINEAR, _W_CUBIC = float32s(1.5957692, -4.534068e-08), float32s(0.071354814, 2.3988325e-09)
_TAIL_CENTRE = np.float32(0.4490966796875)
_TAIL = float32s(
    0.7833698, -1.1151768, 0.97492164, -0.33844078, -0.2210407,
    0.19631654, 0.10755055, -0.10134112, -0.08747888, 0.03909161, 0.057047572,
)  # fmt: skip


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
    m = expm1(-_TWO * abs(x)) if x == x else x
    return np.float32(math.copysign(m / (m + _TWO), x))


@numba.njit(error_model="numpy")
def _elu(x: np.float32, alpha: np.float32) -> np.float32:
    return x if x > _ZERO or x != x else alpha * expm1(x)


@numba.njit(error_model="numpy")
def _selu(x: np.float32, alpha: np.float32) -> np.float32:
    if x != x:
        return x
    value = x if x > _ZERO else expm1(x)
    high, low = _SELU_POSITIVE if x > _ZERO else _SELU_NEGATIVE
    return fma(value, high, value * low)


@numba.njit(error_model="numpy")
def _silu(x: np.float32, alpha: np.float32) -> np.float32:
    if x >= _ZERO or x != x:
        return x / (_ONE + exp(-x))
    x = max(x, np.float32(-110))
    value, scale = times_exp(x, *reduce(x))
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
    value, scale = times_exp(x, *reduce(x))
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
    factor = s * polynomial(_TAIL, s - _TAIL_CENTRE)
    tail, scale = times_exp(factor, *reduce_sum(-_HALF * square, -_HALF * rest))
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
    r, b = reduce_sum(w, fma(below, rest, w_rest))
    value, scale = times_exp(_ONE, r, b)
    e = value * scale
    if x >= _ZERO:
        return x / (e + _ONE)
    value, scale = times_exp(below, r, b)
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
