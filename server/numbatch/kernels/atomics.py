"""Words of memory that several threads read and write, and waiting for one to change.

A word is an int64 of a table; every operation on it is sequentially consistent. Waiting in the kernel of the operating
system is by futex, which Linux has; elsewhere a thread yields instead.
"""

import platform
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.memory import TABLE

_ORDER = "seq_cst"

# The numbers of the system call, by machine.
_FUTEX = {"x86_64": 202, "aarch64": 98}.get(platform.machine()) if platform.system() == "Linux" else None
_WAIT, _WAKE = 128, 129  # FUTEX_WAIT and FUTEX_WAKE, each with FUTEX_PRIVATE_FLAG


@intrinsic
def fetch_add(typingctx: Any, table: Any, index: Any, amount: Any) -> Any:
    """Add to a word and return what it was."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("add", builder.gep(args[0], [args[1]]), args[2], _ORDER)

    return types.int64(TABLE, types.intp, types.int64), codegen


@intrinsic
def exchange(typingctx: Any, table: Any, index: Any, value: Any) -> Any:
    """Set a word and return what it was."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.atomic_rmw("xchg", builder.gep(args[0], [args[1]]), args[2], _ORDER)

    return types.int64(TABLE, types.intp, types.int64), codegen


@intrinsic
def read(typingctx: Any, table: Any, index: Any) -> Any:
    """Return a word."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load_atomic(builder.gep(args[0], [args[1]]), _ORDER, 8)

    return types.int64(TABLE, types.intp), codegen


@intrinsic
def pause(typingctx: Any) -> Any:
    """Tell the processor that this is a loop that waits."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if builder.module.triple.startswith("x86_64"):
            builder.call(_external(builder, "llvm.x86.sse2.pause", ir.FunctionType(ir.VoidType(), [])), [])
        elif builder.module.triple.startswith("aarch64"):
            hint = _external(builder, "llvm.aarch64.hint", ir.FunctionType(ir.VoidType(), [simd.I32]))
            builder.call(hint, [simd.I32(1)])
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def wait_while(typingctx: Any, table: Any, index: Any, value: Any) -> Any:
    """Sleep until another thread calls `wake`, unless the word's low half is not the value's. May return early."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _system_call(builder, args[0], args[1], _WAIT, args[2])
        return context.get_dummy_value()

    return types.void(TABLE, types.intp, types.int64), codegen


@intrinsic
def wake(typingctx: Any, table: Any, index: Any) -> Any:
    """Wake all threads that wait for a word to change."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _system_call(builder, args[0], args[1], _WAKE, simd.INTP(2**31 - 1))
        return context.get_dummy_value()

    return types.void(TABLE, types.intp), codegen


@intrinsic
def yield_thread(typingctx: Any) -> Any:
    """Let another thread run on this processor."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.call(_external(builder, "sched_yield", ir.FunctionType(simd.I32, [])), [])
        return context.get_dummy_value()

    return types.void(), codegen


def _system_call(builder: Any, table: Any, index: Any, operation: int, value: Any) -> None:
    if _FUTEX is None:
        builder.call(_external(builder, "sched_yield", ir.FunctionType(simd.I32, [])), [])
        return
    # long syscall(long number, ...): the address, the operation, the value, no time limit.
    word = builder.gep(table, [index])
    signature = ir.FunctionType(simd.INTP, [simd.INTP], var_arg=True)
    arguments = [simd.INTP(_FUTEX), word, simd.INTP(operation), value, simd.INTP(0)]
    builder.call(_external(builder, "syscall", signature), arguments)


def _external(builder: Any, name: str, signature: ir.FunctionType) -> Any:
    existing = builder.module.globals.get(name)
    return existing if existing is not None else ir.Function(builder.module, signature, name)
