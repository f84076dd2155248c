"""Which processor a thread runs on, on Linux; elsewhere nothing is known and nothing is done.

Schedulers that save power or a cloud's processors wake a thread where its waker runs, and move it only when it has been
busy for milliseconds: on such a machine two threads are one, for any batch that is shorter (2 virtual processors of a
packing kernel: 2.1 ms for 1.05). A helper that finds itself on its caller's processor goes to another one, and stays
away from that one until the caller has moved there.
"""

import platform
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.memory import TABLE

# The words of a set of processors, a bit for each: as many as glibc's cpu_set_t has.
CPU_SET_SIZE = 16

_LINUX = platform.system() == "Linux"


@intrinsic
def current_cpu(typingctx: Any) -> Any:
    """Return the number of the processor that the thread runs on, or -1."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not _LINUX:
            return simd.INTP(-1)
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(simd.I32, []), "sched_getcpu")
        return builder.sext(builder.call(function, []), simd.INTP)

    return types.int64(), codegen


@intrinsic
def leave_cpu(typingctx: Any, allowed: Any, cpu: Any) -> Any:
    """Let the thread run on the processors of a set but this one; where there is no other, nothing changes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if not _LINUX:
            return context.get_dummy_value()
        others = cgutils.alloca_once(builder, simd.INTP, CPU_SET_SIZE)
        cgutils.raw_memcpy(builder, others, args[0], simd.INTP(CPU_SET_SIZE), 8)
        word = builder.gep(others, [builder.lshr(args[1], simd.INTP(6))])
        bit = builder.shl(simd.INTP(1), builder.and_(args[1], simd.INTP(63)))
        builder.store(builder.and_(builder.load(word), builder.not_(bit)), word)
        # int sched_setaffinity(0: this thread, size, set): an empty set is refused.
        signature = ir.FunctionType(simd.I32, [simd.I32, simd.INTP, simd.INTP.as_pointer()])
        function = cgutils.get_or_insert_function(builder.module, signature, "sched_setaffinity")
        builder.call(function, [simd.I32(0), simd.INTP(8 * CPU_SET_SIZE), others])
        return context.get_dummy_value()

    return types.void(TABLE, types.int64), codegen
