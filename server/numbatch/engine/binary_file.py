"""A file that is read piece by piece, at places that its own contents name."""

import os
import stat
from pathlib import Path

import numpy as np

from numbatch.wire.tensors import Float32Array


class CutShortError(Exception):
    """The file ends before a piece does."""


class BinaryFile:
    """A file that was opened once: whatever takes its name later, this one is read.

    It is not memory-mapped. Pages of a mapping count as memory of the process, and a file that somebody cuts while it
    is mapped ends the process.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file.
    """

    def __init__(self, path: Path) -> None:
        # A pipe would be waited for.
        self._file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(self._file)
            if not stat.S_ISREG(status.st_mode):
                raise FileNotFoundError(f"{path} is no file")
            self.size = status.st_size
        except BaseException:
            os.close(self._file)
            raise

    def __del__(self) -> None:
        if hasattr(self, "size"):
            os.close(self._file)

    def read(self, at: int, count: int) -> bytes:
        """Return so many bytes from a place on.

        Raises
        ------
        CutShortError
            If there are fewer. Nothing is allocated for them.
        """
        if at + count > self.size:
            raise CutShortError
        data = os.pread(self._file, count, at)
        if len(data) < count:
            raise CutShortError
        return data

    def peek(self, at: int, count: int) -> bytes:
        """Return at most so many bytes from a place on."""
        return os.pread(self._file, count, at)

    def read_floats(self, at: int, shape: tuple[int, ...]) -> Float32Array:
        """Return an array of little-endian float32 that begins at a place.

        Raises
        ------
        CutShortError
            If the file ends before it does.
        """
        count = int(np.prod(shape, dtype=np.int64))
        if at + 4 * count > self.size:
            raise CutShortError
        array: Float32Array = np.empty(count, "<f4")
        left = memoryview(array.view(np.uint8).data)
        while left:
            read = os.preadv(self._file, [left], at)
            if read == 0:
                raise CutShortError
            at += read
            left = left[read:]
        return array.reshape(shape)
