"""The softmax of a row and its logarithm, part of the numeric contract `f32-1`.

With d = x - max and e = exp(d)::

    softmax       y = e / sum(e)
    log_softmax   y = d - log1p(sum(e where d is not 0) + (count(d = 0) - 1))

The second leaves the 1 of the maximum out of the sum, so that a row in which one element is far above the others has an
accurate logarithm there too, where log(sum(e)) would be 0.

Sums are in the order of reduction.py; the lanes beyond the end of the row add +0. The maximum is the same in any order.
A row with a NaN or +inf, or of -inf only, gives NaN throughout; any other -inf gives +0, or -inf.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.elementary import emit_exp, emit_log1p
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.reduction import LANES, add, elements, end_of, halve

_POINTER = simd.F32.as_pointer()
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_POINTER, _POINTER, simd.INTP])
_FIRST_SLOT = 576


def kernels() -> list[simd.Kernel]:
    """Return both as kernels."""
    return [
        simd.Kernel(_FIRST_SLOT, "f32_rsoftmax", _SIGNATURE, _emit_softmax),
        simd.Kernel(_FIRST_SLOT + 1, "f32_rlog_softmax", _SIGNATURE, _emit_log_softmax),
    ]


@intrinsic
def softmax_row(typingctx: Any, table: Any, logarithm: Any, source: Any, target: Any, width: Any) -> Any:
    """Write the softmax of a row of `width` elements, or its logarithm.

    Both rows are padded to whole LANES and may be one. `table` holds the kernels' addresses (library.py).
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        slot = builder.add(builder.zext(args[1], simd.INTP), simd.INTP(_FIRST_SLOT))
        simd.call_slot(builder, args[0], slot, _SIGNATURE, args[2:])
        return context.get_dummy_value()

    return types.void(TABLE, types.boolean, FLOATS, FLOATS, types.intp), codegen


def _emit_softmax(builder: Any, source: Any, target: Any, width: Any) -> None:
    end, largest = end_of(builder, width), _emit_largest(builder, source, width)
    with simd.loop(builder, simd.INTP(0), end, LANES, [simd.constant(0.0, LANES)]) as turn:
        e = emit_exp(builder, builder.fsub(_elements(builder, source, turn.index, width), largest))
        simd.store(builder, e, simd.element_pointer(builder, target, turn.index))
        turn.carried = [builder.fadd(turn.carried[0], e)]
    total = halve(builder, turn.carried[0], add)

    with simd.loop(builder, simd.INTP(0), end, LANES, []) as turn:
        at = simd.element_pointer(builder, target, turn.index)
        y = builder.fdiv(simd.load(builder, at, simd.vector_type(LANES)), total)
        simd.store(builder, simd.canonical(builder, y), at)
    builder.ret_void()


def _emit_log_softmax(builder: Any, source: Any, target: Any, width: Any) -> None:
    end, largest = end_of(builder, width), _emit_largest(builder, source, width)
    zero, one = simd.constant(0.0, LANES), simd.constant(1.0, LANES)
    with simd.loop(builder, simd.INTP(0), end, LANES, [zero, zero]) as turn:
        d = builder.fsub(_elements(builder, source, turn.index, width), largest)
        simd.store(builder, d, simd.element_pointer(builder, target, turn.index))
        is_largest = builder.fcmp_ordered("==", d, zero)
        rest = builder.select(is_largest, zero, emit_exp(builder, d))
        count = builder.select(is_largest, one, zero)
        turn.carried = [builder.fadd(turn.carried[0], rest), builder.fadd(turn.carried[1], count)]
    rest, count = (halve(builder, value, add) for value in turn.carried)
    log = emit_log1p(builder, builder.fadd(rest, builder.fsub(count, one)))

    with simd.loop(builder, simd.INTP(0), end, LANES, []) as turn:
        at = simd.element_pointer(builder, target, turn.index)
        y = builder.fsub(simd.load(builder, at, simd.vector_type(LANES)), log)
        simd.store(builder, simd.canonical(builder, y), at)
    builder.ret_void()


def _elements(builder: Any, source: Any, index: Any, width: Any) -> Any:
    """Return the vector at an index, with -inf beyond the end of the row."""
    return elements(builder, source, index, width, float("-inf"))


def _emit_largest(builder: Any, source: Any, width: Any) -> Any:
    """Return the maximum of a row, in all lanes; NaN if there is one."""
    least = simd.constant(float("-inf"), LANES)
    with simd.loop(builder, simd.INTP(0), end_of(builder, width), LANES, [least]) as turn:
        turn.carried = [simd.floor_at(builder, _elements(builder, source, turn.index, width), turn.carried[0])]
    return halve(builder, turn.carried[0], simd.floor_at)
