"""Giving memory back to the system that the process has, and does not need."""

import ctypes
import mmap
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

_COMPILER = "libllvmlite.so"


class Mapping(NamedTuple):
    """A part of the address space: its place, its permissions, its file, how much of it is not the file's."""

    start: int
    end: int
    permissions: str
    path: str
    own_kib: int


def release_compiler() -> int:
    """Let the system take back the pages of the compiler's library, and return how many bytes it may.

    The library is 65 MB of a server that has started, and only a compiler needs it: kernels that are ready do not.
    Pages that are the file's, unchanged, are dropped from this process; should one be needed again, it is read from the
    file, as it was the first time. Pages that hold anything else are left alone. On systems without Linux's /proc
    nothing happens.
    """
    if sys.platform != "linux":
        return 0
    try:
        lines = Path("/proc/self/smaps").read_text().splitlines()
    except OSError:
        return 0
    advise = ctypes.CDLL(None, use_errno=True).madvise
    advise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    released = 0
    for part in droppable(mappings(lines), _COMPILER):
        if advise(part.start, part.end - part.start, mmap.MADV_DONTNEED) == 0:
            released += part.end - part.start
    return released


def trim_heap() -> None:
    """Give back what the heap holds of memory that was freed; where the C library is not glibc, nothing happens."""
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


class _MallocInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def heap_bytes() -> int:
    """Return what is in use of the heap, without what it keeps free; 0 where the C library is no glibc since 2.33."""
    tell = getattr(ctypes.CDLL(None), "mallinfo2", None) if sys.platform == "linux" else None
    if tell is None:
        return 0
    tell.restype = _MallocInfo
    info = tell()
    return int(info.uordblks + info.hblkhd)


def droppable(parts: Iterable[Mapping], library: str) -> Iterator[Mapping]:
    """Give the parts of a library's file that can be read again: never written, and not to be."""
    for part in parts:
        if Path(part.path).name == library and "w" not in part.permissions and part.own_kib == 0:
            yield part


def mappings(smaps: Iterable[str]) -> Iterator[Mapping]:
    """Read /proc/PID/smaps."""
    head: re.Match[str] | None = None
    for line in smaps:
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+\s*(.*)$", line)
        head = found or head
        own = re.match(r"Anonymous:\s+(\d+) kB", line)
        if own and head:
            yield Mapping(int(head[1], 16), int(head[2], 16), head[3], head[4], int(own[1]))
