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
        simd.Kernel(_FIRST_SLOT + AFFINE, "f32_vaffine", _SIGNATURE, _emit_affine),
        simd.Kernel(_FIRST_SLOT + ADD, "f32_vadd", _SIGNATURE, functools.partial(_emit_binary, _sum)),
        simd.Kernel(_FIRST_SLOT + MULTIPLY, "f32_vmultiply", _SIGNATURE, functools.partial(_emit_binary, _product)),
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


def _emit_affine(
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
    factors = simd.element_pointer(builder, other, other_stride)
    offsets = simd.element_pointer(builder, factors, other_stride)
    with simd.loop(builder, simd.INTP(0), rows, 1, []) as row:
        from_row = simd.element_pointer(builder, source, builder.mul(row.index, source_stride))
        to_row = simd.element_pointer(builder, target, builder.mul(row.index, target_stride))
        with simd.loop(builder, simd.INTP(0), _elements(builder, vectors), TARGET.lanes, []) as turn:
            x, mean, factor, offset = (_at(builder, each, turn.index) for each in (from_row, other, factors, offsets))
            y = simd.fma(builder, builder.fsub(x, mean), factor, offset)
            simd.store(builder, simd.canonical(builder, y), simd.element_pointer(builder, to_row, turn.index))
    builder.ret_void()


def _emit_binary(
    combine: Callable[[Any, Any, Any], Any],
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
    with simd.loop(builder, simd.INTP(0), rows, 1, []) as row:
        from_row = simd.element_pointer(builder, source, builder.mul(row.index, source_stride))
        other_row = simd.element_pointer(builder, other, builder.mul(row.index, other_stride))
        to_row = simd.element_pointer(builder, target, builder.mul(row.index, target_stride))
        with simd.loop(builder, simd.INTP(0), _elements(builder, vectors), TARGET.lanes, []) as turn:
            y = combine(builder, _at(builder, from_row, turn.index), _at(builder, other_row, turn.index))
            simd.store(builder, simd.canonical(builder, y), simd.element_pointer(builder, to_row, turn.index))
    builder.ret_void()


def _sum(builder: Any, x: Any, y: Any) -> Any:
    return builder.fadd(x, y)


def _product(builder: Any, x: Any, y: Any) -> Any:
    return builder.fmul(x, y)


def _elements(builder: Any, vectors: Any) -> Any:
    return builder.mul(vectors, simd.INTP(TARGET.lanes))


def _at(builder: Any, row: Any, index: Any) -> Any:
    return simd.load(builder, simd.element_pointer(builder, row, index), simd.vector_type(TARGET.lanes))
