"""The normalisation of a row by its own statistics, part of the numeric contract `f32-1`.

With n elements, and every sum in the order of reduction.py::

    mean = sum(x) / n
    d    = x - mean
    r    = 1 / sqrt(sum(d d) / n + epsilon)      each product and its addition one fma, sqrt rounded to nearest
    y    = fma(d r, scale, offset)

Two passes over the row: the sum of squares less the square of the sum would cancel where the mean is large. The lanes
beyond the end of the row add +0. NaN gives the canonical NaN.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.reduction import LANES, add, elements, end_of, halve, within

_POINTER = simd.F32.as_pointer()
# source, target, scales, offsets, elements of the row, epsilon
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_POINTER, _POINTER, _POINTER, _POINTER, simd.INTP, simd.F32])
_SLOT = 592


def kernels() -> list[simd.Kernel]:
    """Return it as a kernel."""
    return [simd.Kernel(_SLOT, "f32_rlayer_norm", _SIGNATURE, _emit)]


@intrinsic
def layer_norm_row(
    typingctx: Any, table: Any, source: Any, target: Any, scales: Any, offsets: Any, width: Any, epsilon: Any
) -> Any:
    """Write the normalised row of `width` elements.

    All rows are padded to whole LANES; source and target may be one. `table` holds the kernels' addresses (library.py).
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        simd.call_slot(builder, args[0], simd.INTP(_SLOT), _SIGNATURE, args[1:])
        return context.get_dummy_value()

    return types.void(TABLE, FLOATS, FLOATS, FLOATS, FLOATS, types.intp, types.float32), codegen


def _emit(builder: Any, source: Any, target: Any, scales: Any, offsets: Any, width: Any, epsilon: Any) -> None:
    zero, one = simd.constant(0.0, LANES), simd.constant(1.0, LANES)
    count = simd.splat(builder, builder.sitofp(width, simd.F32), LANES)
    end = end_of(builder, width)
    with simd.loop(builder, simd.INTP(0), end, LANES, [zero]) as turn:
        turn.carried = [builder.fadd(turn.carried[0], elements(builder, source, turn.index, width, 0.0))]
    mean = builder.fdiv(halve(builder, turn.carried[0], add), count)

    with simd.loop(builder, simd.INTP(0), end, LANES, [zero]) as turn:
        d = within(builder, builder.fsub(_at(builder, source, turn.index), mean), turn.index, width, 0.0)
        turn.carried = [simd.fma(builder, d, d, turn.carried[0])]
    variance = builder.fdiv(halve(builder, turn.carried[0], add), count)
    deviation = simd.sqrt(builder, builder.fadd(variance, simd.splat(builder, epsilon, LANES)))
    factor = builder.fdiv(one, deviation)

    with simd.loop(builder, simd.INTP(0), end, LANES, []) as turn:
        d = builder.fsub(_at(builder, source, turn.index), mean)
        scale, offset = _at(builder, scales, turn.index), _at(builder, offsets, turn.index)
        y = simd.fma(builder, builder.fmul(d, factor), scale, offset)
        simd.store(builder, simd.canonical(builder, y), simd.element_pointer(builder, target, turn.index))
    builder.ret_void()


def _at(builder: Any, row: Any, index: Any) -> Any:
    return simd.load(builder, simd.element_pointer(builder, row, index), simd.vector_type(LANES))
