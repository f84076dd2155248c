"""What the activations of the oracle are made of, one number at a time: exp, expm1 and log1p as in elementary.py."""

import math
from typing import Any

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd


def float32s(*values: float) -> tuple[np.float32, ...]:
    """Return constants as float32."""
    return tuple(np.float32(value) for value in values)


_ZERO, _ONE, _NAN = float32s(0, 1, np.nan)
_LOG2_E, _LN2_HI, _LN2_LO = float32s(1.44269502162933349609375, 0.693147182464599609375, -1.904654299957767e-09)

# Polynomials, the coefficient of x^0 first.
_EXP = float32s(*(1 / math.factorial(n) for n in range(2, 8)))
_LOG = float32s(
    -0.49999997, 0.33333343, -0.2500029, 0.19999623, -0.1665229,
    0.14272042, -0.12750039, 0.11755426, -0.091268286, 0.03731934,
)  # fmt: skip


@intrinsic
def fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x y + z of three float32, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return simd.fma(builder, *args)

    return types.float32(types.float32, types.float32, types.float32), codegen


@numba.njit(error_model="numpy")
def polynomial(coefficients: Any, x: np.float32) -> np.float32:
    """Return a polynomial in x, by Horner's rule."""
    value = coefficients[-1]
    for i in range(len(coefficients) - 2, -1, -1):
        value = fma(value, x, coefficients[i])
    return value


@numba.njit(error_model="numpy")
def two_to(power: int) -> np.float32:
    """Return a power of two."""
    return np.float32(math.ldexp(1.0, power))


@numba.njit(error_model="numpy")
def reduce(x: np.float32) -> tuple[np.float32, int]:
    """Return r and b of x = b ln 2 + r."""
    whole = np.float32(np.rint(x * _LOG2_E))
    return fma(whole, -_LN2_LO, fma(whole, -_LN2_HI, x)), int(whole)


@numba.njit(error_model="numpy")
def reduce_sum(x: np.float32, low: np.float32) -> tuple[np.float32, int]:
    """Return r and b of x + low = b ln 2 + r."""
    whole = np.float32(np.rint(x * _LOG2_E))
    return fma(whole, -_LN2_HI, x) + fma(whole, -_LN2_LO, low), int(whole)


@numba.njit(error_model="numpy")
def _expm1_of_rest(r: np.float32) -> np.float32:
    return fma(r * r, polynomial(_EXP, r), r)


@numba.njit(error_model="numpy")
def times_exp(y: np.float32, r: np.float32, b: int) -> tuple[np.float32, np.float32]:
    """Return v and a power of two s with v s = y exp(b ln 2 + r)."""
    first = y * two_to(b // 2)
    return fma(first, _expm1_of_rest(r), first), two_to(b - b // 2)


@numba.njit(error_model="numpy")
def exp(x: np.float32, alpha: np.float32 = _ZERO) -> np.float32:
    """Return exp(x)."""
    if x != x:
        return _NAN
    value, scale = times_exp(_ONE, *reduce(min(max(x, np.float32(-104)), np.float32(89))))
    return value * scale


@numba.njit(error_model="numpy")
def expm1(x: np.float32) -> np.float32:
    """Return exp(x) - 1 for x <= 0."""
    r, b = reduce(max(x, np.float32(-40)))
    return np.float32(math.copysign(fma(two_to(b), _expm1_of_rest(r), two_to(b) - _ONE), x))


@numba.njit(error_model="numpy")
def log1p(x: np.float32) -> np.float32:
    """Return log(1 + x) for x >= 0."""
    if x != x:
        return _NAN
    mantissa, k = math.frexp(x + _ONE)
    if mantissa < 0.75:
        k -= 1
    scale = two_to(-k)
    f = fma(scale, x, scale - _ONE)
    log = fma(f * f, polynomial(_LOG, f), f)
    return fma(np.float32(k), _LN2_HI, fma(np.float32(k), _LN2_LO, log))
