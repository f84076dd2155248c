"""Objects of POSIX shared memory, as callers make them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

_FOLDER = Path("/dev/shm")
_numbers = count()


class SharedMemory:
    """An object, read and written like the file that it is on Linux."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.key = f"/{path.name}"

    def write(self, at: int, data: bytes) -> None:
        with self.path.open("r+b") as file:
            file.seek(at)
            file.write(data)

    def read(self) -> bytes:
        return self.path.read_bytes()

    def resize(self, size: int) -> None:
        os.truncate(self.path, size)


@contextmanager
def shared_memory(size: int) -> Iterator[SharedMemory]:
    """Make an object of so many bytes; it is removed afterwards."""
    path = _FOLDER / f"numbatch-test-{os.getpid()}-{next(_numbers)}"
    path.touch(0o600)
    try:
        os.truncate(path, size)
        yield SharedMemory(path)
    finally:
        path.unlink()
