"""Memory for weights: 2 MiB pages, so that streaming through them misses no address translation."""

import ctypes
import mmap
import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]

# Of Linux; Python has no names for them.
_MAP_FIXED = 0x10
_MADV_COLLAPSE = 25

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


def mapped_file(path: Path) -> Float32Array:
    """Return the float32 numbers of a file, to be read only; all processes that map it have them in memory once.

    They start at a multiple of 2 MiB, in huge pages where the system and the file system can: that is Linux from 6.1
    on, and a file system in memory. In pages of 4 KiB, one row through 16 MiB of weights takes 3 to 8 % longer.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if sys.platform != "linux":
            return np.frombuffer(mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ), np.float32)
        # Addresses of our own, in which the file takes the place of some; all are given back together.
        pages = mmap.mmap(-1, size + _HUGE_PAGE_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ)
        numbers = _aligned(np.frombuffer(pages, np.uint8), size, _HUGE_PAGE_BYTES)
        _map_at(numbers.ctypes.data, size, file.fileno())
    return numbers


def _map_at(address: int, size: int, file: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    if libc.mmap(address, size, mmap.PROT_READ, mmap.MAP_SHARED | _MAP_FIXED, file, 0) != address:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    # Where it cannot be done, pages stay as they are.
    libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), _MADV_COLLAPSE)


def _aligned(memory: npt.NDArray[np.uint8], size: int, alignment: int) -> Float32Array:
    start = -memory.ctypes.data % alignment
    return memory[start : start + size].view(np.float32)
