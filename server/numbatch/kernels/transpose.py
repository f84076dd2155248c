"""A square of numbers in registers turned over: n vectors of n lanes, rows to columns.

Equation: lane i of vector j becomes lane j of vector i.

One step takes vectors two by two and parts their lanes: the even ones of both in one vector, the odd ones in another ::

    r0 = a b c d    even(r0, r1) = a c A C    even(even(r0, r1), even(r2, r3)) = a A a' A'
    r1 = A B C D    odd(r0, r1)  = b d B D    ...

log2(n) steps turn the square over. Here the first two stay within quarters of 128 bits, and the rest move such quarters
whole: on x86 each shuffle is then one instruction (vshufps, vshuff32x4), with no table of lanes in a register. A square
of 16x16 takes 64 shuffles.
"""

from collections.abc import Sequence
from typing import Any

from numbatch.kernels import simd

# The float32 elements of 128 bits.
_QUARTER = 4


def transpose(builder: Any, rows: Sequence[Any]) -> list[Any]:
    """Return the columns of as many vectors as each has lanes: 4, 8 or 16."""
    starts = range(0, len(rows), _QUARTER)
    squares = [_part(builder, rows[start : start + _QUARTER], 1, _QUARTER) for start in starts]
    columns = [_part(builder, column, _QUARTER, len(rows)) for column in zip(*squares, strict=True)]
    return [column[start // _QUARTER] for start in starts for column in columns]


def _part(builder: Any, vectors: Sequence[Any], size: int, span: int) -> list[Any]:
    """Part pieces of `size` lanes, in each span of so many lanes, until every vector has met every other."""
    vectors, steps = list(vectors), len(vectors).bit_length() - 1
    for _ in range(steps):
        pairs = list(zip(vectors[::2], vectors[1::2], strict=True))
        vectors = [_half(builder, a, b, size, span, odd) for odd in (0, 1) for a, b in pairs]
    return vectors


def _half(builder: Any, a: Any, b: Any, size: int, span: int, odd: int) -> Any:
    """Return the pieces of even, or of odd, numbers: span by span those of a, then those of b."""
    lanes = simd.lanes_of(a)
    mask = [
        other * lanes + start + piece + lane
        for start in range(0, lanes, span)
        for other in (0, 1)
        for piece in range(odd * size, span, 2 * size)
        for lane in range(size)
    ]
    return simd.shuffle(builder, a, mask, b)
