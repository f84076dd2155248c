"""Sums and maxima over a row, in an order that is part of the numeric contract `f32-1`.

Lane l of 16 takes the elements l, l + 16, l + 32, ... in turn; then the lanes are combined in halves, l and l + 8,
l + 4, l + 2, l + 1. The order is the same whatever the width of the processor's vectors: where they are narrower, LLVM
uses several for one.
"""

from collections.abc import Callable
from typing import Any

from numbatch.kernels import simd

# Part of the contract.
LANES = 16


def end_of(builder: Any, width: Any) -> Any:
    """Return the width, rounded up to whole vectors."""
    return builder.and_(builder.add(width, simd.INTP(LANES - 1)), simd.INTP(-LANES))


def elements(builder: Any, source: Any, index: Any, width: Any, beyond: float) -> Any:
    """Return the vector at an index, with a number of the caller's beyond the end of the row."""
    x = simd.load(builder, simd.element_pointer(builder, source, index), simd.vector_type(LANES))
    return within(builder, x, index, width, beyond)


def within(builder: Any, x: Any, index: Any, width: Any, beyond: float) -> Any:
    """Return a vector that belongs at an index, with a number of the caller's beyond the end of the row."""
    inside = builder.icmp_signed("<", simd.lane_numbers(LANES), simd.splat(builder, builder.sub(width, index), LANES))
    return builder.select(inside, x, simd.constant(beyond, LANES))


def add(builder: Any, x: Any, y: Any) -> Any:
    """Return x + y."""
    return builder.fadd(x, y)


def halve(builder: Any, value: Any, combine: Callable[[Any, Any, Any], Any]) -> Any:
    """Combine the lanes of a vector in halves and return the one number that is left, in all lanes."""
    width = LANES
    while width > 1:
        width //= 2
        value = combine(
            builder,
            simd.shuffle(builder, value, list(range(width))),
            simd.shuffle(builder, value, list(range(width, 2 * width))),
        )
    return simd.splat(builder, builder.extract_element(value, simd.I32(0)), LANES)
