"""Memory for weights: 2 MiB pages, so that streaming through them misses no address translation."""

import mmap

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]

_LINE_BYTES = 64
_HUGE_PAGE_BYTES = 2 * 1024 * 1024

# Under a quarter of a page, the rest of the page would be the larger part of what is used.
_LEAST_HUGE_BYTES = 512 * 1024


def aligned_zeros(count: int) -> Float32Array:
    """Return so many zeros of float32.

    They start at a multiple of 64 bytes; from 512 KiB on at a multiple of 2 MiB, in huge pages where the system gives
    them on request (`/sys/kernel/mm/transparent_hugepage/enabled`: madvise or always).
    """
    size = 4 * count
    if size < _LEAST_HUGE_BYTES or not hasattr(mmap, "MADV_HUGEPAGE"):
        memory = np.zeros(size + _LINE_BYTES, np.uint8)
        return _aligned(memory, size, _LINE_BYTES)
    whole = -(-size // _HUGE_PAGE_BYTES) * _HUGE_PAGE_BYTES
    pages = mmap.mmap(-1, whole + _HUGE_PAGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        pages.madvise(mmap.MADV_HUGEPAGE)
    except OSError:  # a kernel without them: only slower
        pass
    return _aligned(np.frombuffer(pages, np.uint8), size, _HUGE_PAGE_BYTES)


def _aligned(memory: npt.NDArray[np.uint8], size: int, alignment: int) -> Float32Array:
    start = -memory.ctypes.data % alignment
    return memory[start : start + size].view(np.float32)
