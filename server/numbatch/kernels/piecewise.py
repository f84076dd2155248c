"""The activations made of straight lines and one quotient: comparisons, selections and a few rounded operations."""

from typing import Any

from numbatch.kernels import simd

# From here on |x| / (1 + |x|) rounds to 1; further on it would be infinity over infinity.
SOFTSIGN_MOST = 2.0**30


def emit_linear(builder: Any, x: Any) -> Any:
    """Emit x."""
    return x


def emit_relu(builder: Any, x: Any) -> Any:
    """Emit x where x > 0, else +0."""
    return simd.floor_at(builder, x, simd.constant(0.0, simd.lanes_of(x)))


def emit_relu6(builder: Any, x: Any) -> Any:
    """Emit min(relu(x), 6)."""
    return simd.ceil_at(builder, emit_relu(builder, x), simd.constant(6.0, simd.lanes_of(x)))


def emit_leaky_relu(builder: Any, x: Any, alpha: Any) -> Any:
    """Emit x where x > 0, else alpha x."""
    return builder.select(is_positive(builder, x), x, builder.fmul(alpha, x))


def emit_softsign(builder: Any, x: Any) -> Any:
    """Emit x / (1 + |x|)."""
    lanes = simd.lanes_of(x)
    size = simd.ceil_at(builder, simd.fabs(builder, x), simd.constant(SOFTSIGN_MOST, lanes))
    quotient = builder.fdiv(size, builder.fadd(simd.constant(1.0, lanes), size))
    return simd.copysign(builder, quotient, x)


def emit_hard_sigmoid(builder: Any, x: Any) -> Any:
    """Emit relu6(x + 3) / 6."""
    lanes = simd.lanes_of(x)
    clamped = emit_relu6(builder, builder.fadd(x, simd.constant(3.0, lanes)))
    return builder.fdiv(clamped, simd.constant(6.0, lanes))


def emit_hard_silu(builder: Any, x: Any) -> Any:
    """Emit x hard_sigmoid(x), with -0 also for x = -inf."""
    least = simd.constant(-3.0, simd.lanes_of(x))
    return builder.fmul(simd.floor_at(builder, x, least), emit_hard_sigmoid(builder, x))


def is_positive(builder: Any, x: Any) -> Any:
    """Emit x > 0, which NaN is not."""
    return builder.fcmp_ordered(">", x, simd.constant(0.0, simd.lanes_of(x)))


def is_negative(builder: Any, x: Any) -> Any:
    """Emit x < 0, which NaN is not."""
    return builder.fcmp_ordered("<", x, simd.constant(0.0, simd.lanes_of(x)))
