"""Layers that work on each element by itself, part of the numeric contract `f32-1`.

They are::

    affine      y = fma(x - mean, factor, offset)      with one mean, factor and offset for each element of a row
    add         y = x + other
    multiply    y = x other

Rows are padded to whole vectors; what is computed there is never looked at. Source and target may be one. NaN gives the
canonical NaN.
"""

import functools
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.target import TARGET

_POINTER = simd.F32.as_pointer()
# source, its stride, other, its stride, target, its stride, rows, vectors of a row
_SIGNATURE = ir.FunctionType(
    ir.VoidType(), [_POINTER, simd.INTP, _POINTER, simd.INTP, _POINTER, simd.INTP, simd.INTP, simd.INTP]
)
_FIRST_SLOT = 584
AFFINE, ADD, MULTIPLY = range(3)

_ARGUMENTS = [TABLE, types.intp, FLOATS, types.intp, FLOATS, types.intp, FLOATS, types.intp, types.intp, types.intp]


def kernels() -> list[simd.Kernel]:
    """Return them as kernels."""
    return [
        simd.Kernel(_FIRST_SLOT + AFFINE, "f32_vaffine", _SIGNATURE, functools.partial(_emit, _affine)),
        simd.Kernel(_FIRST_SLOT + ADD, "f32_vadd", _SIGNATURE, functools.partial(_emit, _sum)),
        simd.Kernel(_FIRST_SLOT + MULTIPLY, "f32_vmultiply", _SIGNATURE, functools.partial(_emit, _product)),
    ]


@intrinsic
def elementwise(
    typingctx: Any,
    table: Any,
    operation: Any,
    source: Any,
    source_stride: Any,
    other: Any,
    other_stride: Any,
    target: Any,
    target_stride: Any,
    rows: Any,
    vectors: Any,
) -> Any:
    """Apply AFFINE, ADD or MULTIPLY to `rows` rows of `vectors` vectors of TARGET.lanes elements.

    For AFFINE `other` holds the means, then, `other_stride` further on each, the factors and the offsets. `table` holds
    the kernels' addresses (library.py).
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        slot = builder.add(args[1], simd.INTP(_FIRST_SLOT))
        simd.call_slot(builder, args[0], slot, _SIGNATURE, args[2:])
        return context.get_dummy_value()

    return types.void(*_ARGUMENTS), codegen


def _emit(
    compute: Callable[..., Any],
    builder: Any,
    source: Any,
    source_stride: Any,
    other: Any,
    other_stride: Any,
    target: Any,
    target_stride: Any,
    rows: Any,
    vectors: Any,
) -> None:
    """Emit the loops over rows and vectors around what `compute` makes of a vector at a place."""
    width = builder.mul(vectors, simd.INTP(TARGET.lanes))
    with simd.loop(builder, simd.INTP(0), rows, 1, []) as row:
        from_row = simd.element_pointer(builder, source, builder.mul(row.index, source_stride))
        to_row = simd.element_pointer(builder, target, builder.mul(row.index, target_stride))
        with simd.loop(builder, simd.INTP(0), width, TARGET.lanes, []) as turn:
            x = _at(builder, from_row, turn.index)
            y = compute(builder, x, row.index, turn.index, other, other_stride)
            simd.store(builder, simd.canonical(builder, y), simd.element_pointer(builder, to_row, turn.index))
    builder.ret_void()


def _affine(builder: Any, x: Any, _row: Any, index: Any, vectors: Any, distance: Any) -> Any:
    mean, factor, offset = (
        _at(builder, vectors, builder.add(index, builder.mul(distance, simd.INTP(number)))) for number in range(3)
    )
    return simd.fma(builder, builder.fsub(x, mean), factor, offset)


def _sum(builder: Any, x: Any, row: Any, index: Any, other: Any, stride: Any) -> Any:
    return builder.fadd(x, _at(builder, other, builder.add(index, builder.mul(row, stride))))


def _product(builder: Any, x: Any, row: Any, index: Any, other: Any, stride: Any) -> Any:
    return builder.fmul(x, _at(builder, other, builder.add(index, builder.mul(row, stride))))


def _at(builder: Any, row: Any, index: Any) -> Any:
    return simd.load(builder, simd.element_pointer(builder, row, index), simd.vector_type(TARGET.lanes))
