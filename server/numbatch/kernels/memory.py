"""Copies between arrays inside compiled code, by bytes: what comes from the wire may lie at any address."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from numbatch.kernels import simd


@intrinsic
def copy_bytes(typingctx: Any, target: Any, target_at: Any, source: Any, source_at: Any, count: Any) -> Any:
    """Copy so many bytes between two arrays of any types; positions are in bytes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def at(array: int) -> Any:
            data = context.make_array(signature.args[array])(context, builder, args[array]).data
            return builder.gep(builder.bitcast(data, cgutils.voidptr_t), [args[array + 1]])

        cgutils.raw_memcpy(builder, at(0), at(2), args[4], 1)
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), codegen


@intrinsic
def set_float_environment(typingctx: Any, value: Any) -> Any:
    """Set the SSE control register, MXCSR, and return what it was; elsewhere than on x86 do nothing and return 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not builder.module.triple.startswith(("x86", "i686")):
            return simd.I32(0)
        slot = cgutils.alloca_once(builder, simd.I32)
        address = builder.bitcast(slot, cgutils.voidptr_t)
        signature_of_both = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t])
        read = cgutils.get_or_insert_function(builder.module, signature_of_both, "llvm.x86.sse.stmxcsr")
        write = cgutils.get_or_insert_function(builder.module, signature_of_both, "llvm.x86.sse.ldmxcsr")
        builder.call(read, [address])
        before = builder.load(slot)
        builder.store(args[0], slot)
        builder.call(write, [address])
        return before

    return types.uint32(types.uint32), codegen
