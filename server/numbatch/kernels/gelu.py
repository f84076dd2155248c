"""GELU, x P(X <= x) of a standard normal X, and its approximation by tanh.

Below zero both fall like exp(-x^2 / 2) or faster. The exponent reaches 100, so that its rounding alone would cost tens
of units in the last place: it is computed as the sum of two float32, the second being what the first leaves, by fused
multiply-adds (Dekker, 1971; Muller and others, Handbook of Floating-Point Arithmetic, 2018, chapter 4).

gelu_erf(x) = x - t for x > 0 and -t for others, with a = |x| and t = a P(X > a)::

    s = a / (a + 3)                           refined once by its residual a - s (a + 3) = fma(-s, a, fma(-3, s, a))
    P(X > a) = exp(-a^2 / 2) F(s) / (a + 3)   F of degree 10 around c, of relative error 2^-29: scripts/coefficients.py
    t = s F(s) exp(-a^2 / 2)

A variable of this kind, and a factor that makes the function nearly level: Shepherd and Laframboise (1981).

gelu_tanh(x) = x / (1 + E), or x E / (1 + E) for x < 0, with E = exp(-|w|) and w = 2 sqrt(2 / pi) (x + 0.044715 x^3),
since (1 + tanh(w / 2)) / 2 is the sigmoid of w.
"""

from typing import Any

from numbatch.kernels import simd
from numbatch.kernels.elementary import emit_split_exp
from numbatch.kernels.piecewise import is_negative

# Below the negatives of these the functions are under half the least denormal.
ERF_LEAST = 14.5
TANH_LEAST = 11.0

# c, and the coefficients of (s - c)^10 ... (s - c)^0; c is such that the last two are very nearly float32 numbers.
TAIL_CENTRE = 0.4490966796875
TAIL_TERMS = (
    0.057047572,
    0.03909161,
    -0.08747888,
    -0.10134112,
    0.10755055,
    0.19631654,
    -0.2210407,
    -0.33844078,
    0.97492164,
    -1.1151768,
    0.7833698,
)

# 2 sqrt(2 / pi), and 0.044715 times it, each as a sum.
W_LINEAR = (1.5957692, -4.534068e-08)
W_CUBIC = (0.071354814, 2.3988325e-09)


def emit_gelu_erf(builder: Any, x: Any) -> Any:
    """Emit x P(X <= x)."""
    lanes = simd.lanes_of(x)
    minus_three, minus_half = simd.constant(-3.0, lanes), simd.constant(-0.5, lanes)
    a = simd.ceil_at(builder, simd.fabs(builder, x), simd.constant(ERF_LEAST, lanes))
    reciprocal = builder.fdiv(simd.constant(1.0, lanes), builder.fsub(a, minus_three))
    s = builder.fmul(a, reciprocal)
    residual = simd.fma(builder, builder.fneg(s), a, simd.fma(builder, minus_three, s, a))
    s = simd.fma(builder, residual, reciprocal, s)
    square, rest = _product(builder, a, a)
    exp = emit_split_exp(builder, builder.fmul(square, minus_half), builder.fmul(rest, minus_half))
    f = simd.horner(builder, TAIL_TERMS, builder.fsub(s, simd.constant(TAIL_CENTRE, lanes)))
    tail = exp.times(builder, builder.fmul(s, f))
    base = builder.select(is_negative(builder, x), simd.constant(-0.0, lanes), x)
    return simd.fma(builder, builder.fneg(tail), exp.second, base)


def emit_gelu_tanh(builder: Any, x: Any) -> Any:
    """Emit x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2."""
    lanes = simd.lanes_of(x)
    one, negative = simd.constant(1.0, lanes), is_negative(builder, x)
    below = builder.fneg(simd.ceil_at(builder, simd.fabs(builder, x), simd.constant(TANH_LEAST, lanes)))
    exp = emit_split_exp(builder, *_emit_w(builder, below))
    numerator = builder.select(negative, exp.times(builder, below), x)
    quotient = builder.fdiv(numerator, builder.fadd(exp.value(builder), one))
    return builder.fmul(quotient, builder.select(negative, exp.second, one))


def _emit_w(builder: Any, x: Any) -> tuple[Any, Any]:
    """Return w as a sum of two: x (c + d x^2), c and d being constants of two parts themselves."""
    lanes = simd.lanes_of(x)
    (c, c_rest), (d, d_rest) = ([simd.constant(part, lanes) for part in parts] for parts in (W_LINEAR, W_CUBIC))
    square, square_rest = _product(builder, x, x)
    cubic, rest = _product(builder, d, square)
    rest = simd.fma(builder, d, square_rest, simd.fma(builder, d_rest, square, builder.fadd(rest, c_rest)))
    # The larger of the two summands comes first, so that the difference below is exact.
    larger, smaller = simd.floor_at(builder, cubic, c), simd.ceil_at(builder, cubic, c)
    total = builder.fadd(larger, smaller)
    rest = builder.fadd(rest, builder.fsub(smaller, builder.fsub(total, larger)))
    w, w_rest = _product(builder, x, total)
    return w, simd.fma(builder, x, rest, w_rest)


def _product(builder: Any, x: Any, y: Any) -> tuple[Any, Any]:
    """Return x y rounded, and what that leaves, which is exact unless it underflows."""
    product = builder.fmul(x, y)
    return product, simd.fma(builder, x, y, builder.fneg(product))
