"""Folders that processes share: made by the first that needs one, removed by the last that did.

Beside each folder lies a file with a lock, which the system takes from a process that dies. Who uses the folder has the
lock together with others; who makes or removes it has it alone.
"""

import contextlib
import errno
import fcntl
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

# Two that want to make the same folder let go of it, and come back one after the other.
_MOST_APART_S = 0.01

# Some seconds. Those who only look are gone by then; who is still there uses a folder that somebody else removed.
_TRIES = 1000


class Lease:
    """The right to use a folder; made by `take`."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def take(cls, folder: Path, make: Callable[[Path], None]) -> Self:
        """Use a folder; where it is not there, make it, while others that need it wait.

        Parameters
        ----------
        folder : Path
            Its name says all of what is in it.
        make : callable
            Fills the empty folder that it is given. If it raises, there is no folder, and the next one tries.

        Raises
        ------
        OSError
            If it can be neither made nor used.
        """
        path = folder.with_suffix(".lock")
        for _ in range(_TRIES):
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_SH)
                if _is_at(path, lock) and folder.is_dir():
                    return cls(folder, lock)
                if _is_alone(lock) and _is_at(path, lock) and not folder.is_dir():
                    try:
                        _make(folder, make)
                    except BaseException:
                        path.unlink(missing_ok=True)
                        raise
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)
        raise OSError(errno.EBUSY, f"others use {folder}, which is not there any more")

    def release(self) -> None:
        """Use the folder no more; the last to do so removes it."""
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pass
        else:
            _remove(self.folder)
        finally:
            os.close(self._lock)


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    part = _part(folder)
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(part)  # of one that died over it
    part.mkdir(mode=0o700)
    try:
        make(part)
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _remove(folder: Path) -> None:
    # Its name goes first: of one that dies over it, nothing is left that would be taken for the whole.
    with contextlib.suppress(OSError):
        folder.rename(_part(folder))
    shutil.rmtree(_part(folder), ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)


def _part(folder: Path) -> Path:
    """Return what a folder is called that is not whole."""
    return folder.with_suffix(".part")


def _is_alone(lock: int) -> bool:
    """Have a lock alone, or else not at all.

    It is never waited for: who makes the folder becomes a user of it then, and may be one for good.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(random.uniform(0, _MOST_APART_S))
        return False
    return True


def _is_at(path: Path, lock: int) -> bool:
    """Tell whether a lock is that of the file that has the name now: the last user removes it."""
    try:
        there, held = path.stat(), os.fstat(lock)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
