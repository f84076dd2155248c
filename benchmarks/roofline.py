"""What this machine can do at most: fused multiply-adds in registers, and reading memory once.

They are measured like any contender, in the turns of the cells that they are the measure for, because the machine is
not the same from minute to minute.
"""

import functools
import mmap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd
from numbatch.kernels.target import TARGET

HUGE_PAGE = 2 << 20

# Sums that wait for nobody but themselves: more than latency x units (4 x 2) on any processor so far, and few enough to
# stay in registers beside the two operands.
_CHAINS = 24 if TARGET.registers >= 32 else 12
_FLOPS_A_TURN = 2 * _CHAINS * TARGET.lanes

# Vectors that a turn of the reading loop loads.
_LOADS = 16
_FLOATS_A_TURN = _LOADS * TARGET.lanes

# A call lasts about so long: with several threads long enough for starting them not to count.
_FLOPS_A_CALL = {1: 2e8, 2: 1e9}
_BYTES_A_CALL = {1: 1e8, 2: 4e8}


class Work(NamedTuple):
    """A call, and how many operations or bytes it is."""

    call: Callable[[], object]
    amount: float

    def rate(self, us: float) -> float:
        """Return GFLOP/s or GB/s, from the microseconds of a call."""
        return self.amount / us / 1e3


def multiplying(threads: int) -> Work:
    """Return fused multiply-adds on registers, in so many threads at once."""
    turns = int(_FLOPS_A_CALL[threads] / threads / _FLOPS_A_TURN)
    call = _at_once(_multiply_and_add, [(turns, 0.5)] * threads)
    return Work(call, float(threads * turns * _FLOPS_A_TURN))


class Reading:
    """Memory to read, in huge pages.

    Parameters
    ----------
    size : int
        The most bytes that will be read.
    """

    def __init__(self, size: int) -> None:
        self._memory = huge_pages(size)

    def of(self, size: int, threads: int) -> Work:
        """Return the reading of a working set of so many bytes, again and again, each thread its own part."""
        part = max(1, size // 4 // threads // _FLOATS_A_TURN) * _FLOATS_A_TURN
        passes = max(1, round(_BYTES_A_CALL[threads] / (4 * part * threads)))
        parts = [(self._memory, i * part, (i + 1) * part, passes) for i in range(threads)]
        return Work(_at_once(_read_passes, parts), float(4 * part * threads * passes))


@intrinsic
def _fma_chains(typingctx: Any, turns: Any, factor: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        factor = simd.splat(builder, args[1], TARGET.lanes)
        sums = [simd.constant(float(chain), TARGET.lanes) for chain in range(_CHAINS)]
        with simd.loop(builder, simd.INTP(0), args[0], 1, sums) as turn:
            turn.carried = [simd.fma(builder, value, factor, factor) for value in turn.carried]
        total = turn.carried[0]
        for value in turn.carried[1:]:
            total = builder.fadd(total, value)
        return builder.extract_element(total, simd.I32(0))

    return types.float32(types.intp, types.float32), codegen


@intrinsic
def _read(typingctx: Any, memory: Any, start: Any, stop: Any) -> Any:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        vector = simd.vector_type(TARGET.lanes, simd.I32)
        sums = [simd.int_constant(0, TARGET.lanes)] * (_LOADS // 2)
        with simd.loop(builder, args[1], args[2], _FLOATS_A_TURN, sums) as turn:
            for load in range(_LOADS):
                place = builder.add(turn.index, simd.INTP(load * TARGET.lanes))
                loaded = simd.load(builder, simd.element_pointer(builder, data, place), vector, align=64)
                chain = load % len(sums)
                turn.carried[chain] = builder.add(turn.carried[chain], loaded)
        total = turn.carried[0]
        for value in turn.carried[1:]:
            total = builder.add(total, value)
        return builder.extract_element(total, simd.I32(0))

    return types.int32(memory, types.intp, types.intp), codegen


@numba.njit("float32(intp, float32)", nogil=True)
def _multiply_and_add(turns: int, factor: float) -> Any:
    return _fma_chains(turns, factor)


@numba.njit("int32(float32[::1], intp, intp, intp)", nogil=True)
def _read_passes(memory: Any, start: int, stop: int, passes: int) -> Any:
    total = np.int32(0)
    for _ in range(passes):
        total += _read(memory, start, stop)
    return total


def huge_pages(size: int) -> Any:
    """Return float32 memory of so many bytes in huge pages, where the system has them, written once."""
    pages = mmap.mmap(-1, size + HUGE_PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    whole = np.frombuffer(pages, np.uint8)
    skipped = -whole.ctypes.data % HUGE_PAGE
    memory = whole[skipped : skipped + size].view(np.float32)
    memory[:] = 1
    return memory


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads)


def _at_once(function: Callable[..., object], arguments: Sequence[tuple[Any, ...]]) -> Callable[[], object]:
    """Return a call of a compiled function that runs it for every tuple of arguments, in a thread each."""
    first, others = arguments[0], arguments[1:]
    if not others:
        return lambda: function(*first)
    pool = _pool(len(others))

    def call() -> None:
        running = [pool.submit(function, *other) for other in others]
        function(*first)
        for future in running:
            future.result()

    return call
