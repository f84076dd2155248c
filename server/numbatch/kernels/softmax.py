"""The softmax of a row, y = exp(x - max) / sum(exp(x - max)), part of the numeric contract `f32-1`.

The sum has a fixed order, whatever the width of the vectors: lane l of 16 adds the elements l, l + 16, l + 32, ... in
turn, then the lanes are added in halves, l and l + 8, l + 4, l + 2, l + 1. The lanes beyond the end of the row add +0.
The maximum is the same in any order. A row with a NaN or +inf, or of -inf only, gives NaN throughout.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.activations import emit_exp
from numbatch.kernels.memory import FLOATS, TABLE

# Part of the contract. Where the processor's vectors are narrower, LLVM uses several for one.
LANES = 16


_POINTER = simd.F32.as_pointer()
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_POINTER, _POINTER, simd.INTP])
_SLOT = 576


def kernels() -> list[simd.Kernel]:
    """Return the softmax as a kernel."""
    return [simd.Kernel(_SLOT, "f32_rsoftmax", _SIGNATURE, _emit)]


@intrinsic
def softmax_row(typingctx: Any, table: Any, source: Any, target: Any, width: Any) -> Any:
    """Write the softmax of a row of `width` elements; both rows are padded to whole LANES and may be one.

    `table` holds the kernels' addresses (library.py).
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        simd.call_slot(builder, args[0], simd.INTP(_SLOT), _SIGNATURE, args[1:])
        return context.get_dummy_value()

    return types.void(TABLE, FLOATS, FLOATS, types.intp), codegen


def _emit(builder: Any, source: Any, target: Any, width: Any) -> None:
    vector = simd.vector_type(LANES)
    least, zero = simd.constant(float("-inf"), LANES), simd.constant(0.0, LANES)
    end = builder.and_(builder.add(width, simd.INTP(LANES - 1)), simd.INTP(-LANES))

    def elements(index: Any) -> Any:
        """Return the vector at an index, with -inf beyond the end of the row."""
        lanes = simd.lane_numbers(LANES)
        inside = builder.icmp_signed("<", lanes, simd.splat(builder, builder.sub(width, index), LANES))
        x = simd.load(builder, simd.element_pointer(builder, source, index), vector)
        return builder.select(inside, x, least)

    with simd.loop(builder, simd.INTP(0), end, LANES, [least]) as turn:
        turn.carried = [simd.floor_at(builder, elements(turn.index), turn.carried[0])]
    largest = simd.splat(builder, _halve(builder, turn.carried[0], simd.floor_at), LANES)

    with simd.loop(builder, simd.INTP(0), end, LANES, [zero]) as turn:
        e = emit_exp(builder, builder.fsub(elements(turn.index), largest))
        simd.store(builder, e, simd.element_pointer(builder, target, turn.index))
        turn.carried = [builder.fadd(turn.carried[0], e)]
    total = simd.splat(builder, _halve(builder, turn.carried[0], lambda b, x, y: b.fadd(x, y)), LANES)

    with simd.loop(builder, simd.INTP(0), end, LANES, []) as turn:
        at = simd.element_pointer(builder, target, turn.index)
        y = builder.fdiv(simd.load(builder, at, vector), total)
        simd.store(builder, simd.canonical(builder, y), at)
    builder.ret_void()


def _halve(builder: Any, value: Any, combine: Any) -> Any:
    """Combine the lanes of a vector in halves and return the one number that is left."""
    width = LANES
    while width > 1:
        width //= 2
        value = combine(
            builder,
            simd.shuffle(builder, value, list(range(width))),
            simd.shuffle(builder, value, list(range(width, 2 * width))),
        )
    return builder.extract_element(value, simd.I32(0))
