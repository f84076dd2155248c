"""Weights in half the memory: bfloat16, the upper half of a float32.

A panel holds two inputs in a line of NR elements of 32 bits, the earlier in the low halves (packing.py). Widening is
exact, and so the sums are those of the contract, with weights that were rounded once.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.memory import FLOATS, TABLE
from numbatch.kernels.microkernel import KB
from numbatch.kernels.target import NR, TARGET

# Elements of float32 that widening a block of the contract for a group of panels takes.
SCRATCH_SIZE = 4 * (KB + 1) * NR


_POINTER = simd.F32.as_pointer()
_SIGNATURE = ir.FunctionType(ir.VoidType(), [_POINTER, simd.INTP, simd.INTP, simd.INTP, _POINTER])
_SLOT = 330


def kernels() -> list[simd.Kernel]:
    """Return the widening as a kernel."""
    return [simd.Kernel(_SLOT, "bf16_widen", _SIGNATURE, _emit)]


@intrinsic
def widen(typingctx: Any, table: Any, w: Any, panel_stride: Any, panels: Any, inputs: Any, target: Any) -> Any:
    """Write `inputs` inputs of some panels as float32, panel after panel, each followed by NR unused elements.

    Where the number of inputs is odd, the unused elements are written too. `table` holds the kernels' addresses
    (library.py).
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        simd.call_slot(builder, args[0], simd.INTP(_SLOT), _SIGNATURE, args[1:])
        return context.get_dummy_value()

    return types.void(TABLE, FLOATS, types.intp, types.intp, types.intp, FLOATS), codegen


def _emit(builder: Any, w: Any, panel_stride: Any, panels: Any, inputs: Any, target: Any) -> None:
    intp, lanes = simd.INTP, TARGET.lanes
    vector = simd.vector_type(lanes)
    target_stride = builder.mul(builder.add(inputs, intp(1)), intp(NR))
    lines = builder.lshr(builder.add(inputs, intp(1)), intp(1))
    with simd.loop(builder, intp(0), panels, 1, []) as panel:
        source_panel = simd.element_pointer(builder, w, builder.mul(panel.index, panel_stride))
        target_panel = simd.element_pointer(builder, target, builder.mul(panel.index, target_stride))
        with simd.loop(builder, intp(0), lines, 1, []) as line:
            source = simd.element_pointer(builder, source_panel, builder.mul(line.index, intp(NR)))
            even = simd.element_pointer(builder, target_panel, builder.mul(line.index, intp(2 * NR)))
            for at in range(0, NR, lanes):
                pairs = simd.load(builder, simd.element_pointer(builder, source, intp(at)), vector, 4 * lanes)
                low, high = simd.low_bfloat16(builder, pairs), simd.high_bfloat16(builder, pairs)
                simd.store(builder, low, simd.element_pointer(builder, even, intp(at)), 4 * lanes)
                simd.store(builder, high, simd.element_pointer(builder, even, intp(NR + at)), 4 * lanes)
    builder.ret_void()
