"""exp, expm1 and log1p, of which the activations are made: fixed sequences of rounded operations.

There is no libm here and no approximate reciprocal: those differ between machines, a rounded operation does not.

exp(x), by the reduction of Cody and Waite (1980), x = b ln 2 + r with b whole and |r| <= ln 2 / 2::

    b = round(x log2(e))                      r = fma(b, -ln2_lo, fma(b, -ln2_hi, x))
    e = r + r^2 (1/2! + r/3! + ... + r^5/7!)  by Horner: the next term is under 0.05 ulp
    exp(x) = 2^b + 2^b e                      in two halves of the power, so that neither overflows nor underflows early
    expm1(x) = 2^b e + (2^b - 1)

log1p(x), by the same idea backwards: 1 + x = 2^k (1 + f) with k whole and -1/4 <= f < 1/2::

    f = fma(2^-k, x, 2^-k - 1)                rounded once: x itself where k is 0
    l = f + f^2 T(f)                          T of degree 9, with the least relative error: 2^-30
    log1p(x) = k ln2_hi + (k ln2_lo + l)

scripts/coefficients.py computes what is no Taylor series.
"""

from math import factorial
from typing import Any, NamedTuple

from numbatch.kernels import simd

LOG2_E = 1.44269502162933349609375
LN2_HI = 0.693147182464599609375
LN2_LO = -1.904654299957767e-09

# Adding 1.5 2^23 to a float32 of less than 2^22 rounds it to a whole number, held in the low bits.
ROUND = 12582912.0
ROUND_BITS = 0x4B400000

# Beyond these exp is 0 (under half the least denormal) and infinite; between them b fits the halves of the power.
EXP_LEAST = -104.0
EXP_MOST = 89.0

# Below this expm1 is -1.
EXPM1_LEAST = -40.0

# 1/7! ... 1/2!
EXP_TERMS = tuple(1.0 / factorial(n) for n in range(7, 1, -1))

# Coefficients of f^9 ... f^0.
LOG_TERMS = (
    0.03731934,
    -0.091268286,
    0.11755426,
    -0.12750039,
    0.14272042,
    -0.1665229,
    0.19999623,
    -0.2500029,
    0.33333343,
    -0.49999997,
)
THREE_QUARTERS_BITS = 0x3F400000


def emit_exp(builder: Any, x: Any) -> Any:
    """Emit exp(x) for any x."""
    lanes = simd.lanes_of(x)
    x = simd.ceil_at(
        builder, simd.floor_at(builder, x, simd.constant(EXP_LEAST, lanes)), simd.constant(EXP_MOST, lanes)
    )
    return emit_split_exp(builder, x).value(builder)


class SplitExp(NamedTuple):
    """exp(x) as first (1 + fraction) second, two powers of two that are far from denormal."""

    fraction: Any
    first: Any
    second: Any

    def value(self, builder: Any) -> Any:
        """Emit exp(x)."""
        return builder.fmul(simd.fma(builder, self.first, self.fraction, self.first), self.second)

    def times(self, builder: Any, y: Any) -> Any:
        """Emit y exp(x) / second, rounded once.

        Where exp(x) is denormal and what it is multiplied with is large, no bits are lost before the last product.
        """
        y = builder.fmul(y, self.first)
        return simd.fma(builder, y, self.fraction, y)


def emit_split_exp(builder: Any, x: Any, low: Any = None) -> SplitExp:
    """Emit exp(x + low) for -170 <= x <= 120."""
    fraction, power = _reduce(builder, x, low)
    half = builder.ashr(power, simd.int_constant(1, simd.lanes_of(x)))
    return SplitExp(fraction, _power_of_two(builder, half), _power_of_two(builder, builder.sub(power, half)))


def emit_expm1(builder: Any, x: Any) -> Any:
    """Emit exp(x) - 1 for x <= 0 (the sign of a zero is lost)."""
    fraction, power = _reduce(builder, simd.floor_at(builder, x, simd.constant(EXPM1_LEAST, simd.lanes_of(x))))
    scale = _power_of_two(builder, power)
    return simd.fma(builder, scale, fraction, builder.fsub(scale, simd.constant(1.0, simd.lanes_of(x))))


def emit_log1p(builder: Any, x: Any) -> Any:
    """Emit log(1 + x) for 0 <= x < 2^30."""
    lanes = simd.lanes_of(x)
    one = simd.constant(1.0, lanes)
    above = builder.sub(simd.bits(builder, builder.fadd(x, one)), simd.int_constant(THREE_QUARTERS_BITS, lanes))
    power = builder.ashr(above, simd.int_constant(23, lanes))
    scale = _power_of_two(builder, builder.neg(power))
    f = simd.fma(builder, scale, x, builder.fsub(scale, one))
    log = simd.fma(builder, builder.fmul(f, f), simd.horner(builder, LOG_TERMS, f), f)
    k = builder.sitofp(power, simd.vector_type(lanes))
    low = simd.fma(builder, k, simd.constant(LN2_LO, lanes), log)
    return simd.fma(builder, k, simd.constant(LN2_HI, lanes), low)


def _reduce(builder: Any, x: Any, low: Any = None) -> tuple[Any, Any]:
    """Return expm1 of what x + low leaves beyond a whole multiple b of ln 2, and b as an integer."""
    lanes = simd.lanes_of(x)
    rounder = simd.constant(ROUND, lanes)
    shifted = builder.fadd(builder.fmul(x, simd.constant(LOG2_E, lanes)), rounder)
    power = builder.sub(simd.bits(builder, shifted), simd.int_constant(ROUND_BITS, lanes))
    whole = builder.fsub(shifted, rounder)
    r = simd.fma(builder, whole, simd.constant(-LN2_HI, lanes), x)
    if low is None:
        r = simd.fma(builder, whole, simd.constant(-LN2_LO, lanes), r)
    else:
        r = builder.fadd(r, simd.fma(builder, whole, simd.constant(-LN2_LO, lanes), low))
    return simd.fma(builder, builder.fmul(r, r), simd.horner(builder, EXP_TERMS, r), r), power


def _power_of_two(builder: Any, exponent: Any) -> Any:
    """Return 2^exponent for -126 <= exponent <= 127, by writing the exponent's bits."""
    lanes = simd.lanes_of(exponent)
    biased = builder.add(exponent, simd.int_constant(127, lanes))
    return simd.from_bits(builder, builder.shl(biased, simd.int_constant(23, lanes)))
