"""The activations made of exponentials and logarithms.

Each is written so that nothing overflows and nothing cancels: with exp(-|x|) instead of exp(x), and, where the result
is a product with exp(x), with the product taken before exp(x) can become denormal::

    sigmoid(x)      1 / (1 + E), or E / (1 + E) for x < 0                    E = exp(-|x|) here and below
    tanh(x)         -m / (m + 2) with m = expm1(-2 |x|), and the sign of x
    elu(x)          x, or alpha expm1(x) for x <= 0
    selu(x)         scale x, or scale alpha expm1(x) for x <= 0; both factors as the sum of two float32
    silu(x)         x / (1 + E), or x E / (1 + E) for x < 0
    softplus(x)     max(x, 0) + log1p(E)
    log_sigmoid(x)  -softplus(-x)
    mish(x)         with tanh(log(1 + u)) = ((1 + u)^2 - 1) / ((1 + u)^2 + 1) for u = exp(x):
                    x (1 - 2 E^2 / (2 E (E + 1) + 1)), or x E (1 - E (E + 1) / ((E + 1)^2 + 1)) for x < 0
"""

from typing import Any

from numbatch.kernels import simd
from numbatch.kernels.elementary import SplitExp, emit_exp, emit_expm1, emit_log1p, emit_split_exp
from numbatch.kernels.piecewise import is_negative, is_positive

# 1.05070098735548049342 and its product with 1.67326324235437728481 (Klambauer and others, 2017), each as a sum.
# The first part is rounded towards zero, so that infinity times the second is no infinity of the other sign.
SELU_SCALE = (1.0507009, 8.441664e-08)
SELU_SCALE_ALPHA = (1.7580993, 2.3296717e-08)

# Below this x exp(x) is under half the least denormal.
PRODUCT_LEAST = -110.0


def emit_sigmoid(builder: Any, x: Any) -> Any:
    """Emit 1 / (1 + exp(-x))."""
    one = simd.constant(1.0, simd.lanes_of(x))
    e = emit_exp(builder, builder.fneg(simd.fabs(builder, x)))
    return builder.fdiv(builder.select(is_negative(builder, x), e, one), builder.fadd(one, e))


def emit_tanh(builder: Any, x: Any) -> Any:
    """Emit tanh(x)."""
    lanes = simd.lanes_of(x)
    m = emit_expm1(builder, builder.fmul(simd.fabs(builder, x), simd.constant(-2.0, lanes)))
    return simd.copysign(builder, builder.fdiv(m, builder.fadd(m, simd.constant(2.0, lanes))), x)


def emit_elu(builder: Any, x: Any, alpha: Any) -> Any:
    """Emit x where x > 0, else alpha expm1(x)."""
    m = simd.copysign(builder, emit_expm1(builder, x), x)
    return builder.select(is_positive(builder, x), x, builder.fmul(alpha, m))


def emit_selu(builder: Any, x: Any) -> Any:
    """Emit scale x where x > 0, else scale alpha expm1(x)."""
    positive = is_positive(builder, x)
    value = builder.select(positive, x, simd.copysign(builder, emit_expm1(builder, x), x))
    high, low = (
        builder.select(positive, simd.constant(above, simd.lanes_of(x)), simd.constant(below, simd.lanes_of(x)))
        for above, below in zip(SELU_SCALE, SELU_SCALE_ALPHA, strict=True)
    )
    return simd.fma(builder, value, high, builder.fmul(value, low))


def emit_silu(builder: Any, x: Any) -> Any:
    """Emit x / (1 + exp(-x))."""
    one, negative = simd.constant(1.0, simd.lanes_of(x)), is_negative(builder, x)
    below, exp = _emit_exp_below(builder, x)
    numerator = builder.select(negative, exp.times(builder, below), x)
    quotient = builder.fdiv(numerator, builder.fadd(exp.value(builder), one))
    return builder.fmul(quotient, builder.select(negative, exp.second, one))


def emit_softplus(builder: Any, x: Any) -> Any:
    """Emit log(1 + exp(x))."""
    e = emit_exp(builder, builder.fneg(simd.fabs(builder, x)))
    linear = simd.floor_at(builder, x, simd.constant(0.0, simd.lanes_of(x)))
    return builder.fadd(linear, emit_log1p(builder, e))


def emit_log_sigmoid(builder: Any, x: Any) -> Any:
    """Emit log(1 / (1 + exp(-x)))."""
    return builder.fneg(emit_softplus(builder, builder.fneg(x)))


def emit_mish(builder: Any, x: Any) -> Any:
    """Emit x tanh(log(1 + exp(x)))."""
    one, negative = simd.constant(1.0, simd.lanes_of(x)), is_negative(builder, x)
    below, exp = _emit_exp_below(builder, x)
    e = exp.value(builder)
    above = builder.fadd(e, one)
    a = builder.select(negative, above, builder.fadd(e, e))
    rest = builder.fdiv(builder.fmul(e, a), simd.fma(builder, a, above, one))
    product = builder.select(negative, exp.times(builder, below), x)
    scale = builder.select(negative, exp.second, one)
    return builder.fmul(builder.fmul(product, builder.fsub(one, rest)), scale)


def _emit_exp_below(builder: Any, x: Any) -> tuple[Any, SplitExp]:
    """Emit -|x|, but no less than PRODUCT_LEAST, and exp of it."""
    least = simd.constant(PRODUCT_LEAST, simd.lanes_of(x))
    below = simd.floor_at(builder, builder.fneg(simd.fabs(builder, x)), least)
    return below, emit_split_exp(builder, below)
