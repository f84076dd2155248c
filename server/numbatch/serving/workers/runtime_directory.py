"""The folder of one supervisor and its workers: weights that they share, models that came in messages, metrics.

It has a lock that the system takes from a process that dies, so that the next supervisor can tell what was left behind.
"""

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_log = logging.getLogger(__name__)

_PREFIX = "numbatch-workers-"
_UNFINISHED = ".numbatch-workers-"
_LOCK = "supervisor.lock"  # nothing without it is ever removed

_MEMORY = Path("/dev/shm")
_LEAST_ROOM_BYTES = 2**30


class RuntimeDirectory:
    """The folders in it.

    Attributes
    ----------
    path : Path
        The folder itself.
    weights : Path
        For `numbatch.engine.shared.SharedModels`.
    models : Path
        For models that came in messages.
    metrics : Path
        For the processes of prometheus_client.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.weights, self.models, self.metrics = path / "weights", path / "models", path / "metrics"


@contextlib.contextmanager
def runtime_directory(chosen: Path | None, model_repository: Path | None) -> Iterator[RuntimeDirectory]:
    """Make the folder, and remove it when the context ends; remove those that supervisors of this user left behind.

    Parameters
    ----------
    chosen : Path or None
        Where. None: in memory where there is room for twice the model repository, as a version is replaced while the
        one before still answers; else among the temporary files.
    model_repository : Path or None
        What will be loaded.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    base = chosen or _base(model_repository)
    _remove_left_behind(base)
    try:
        path = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=base))
    except OSError as failed:
        raise OSError(
            failed.errno, f"no runtime directory in {base}: {failed.strerror}; set runtime_directory to another folder"
        ) from failed
    (path / _LOCK).touch()
    lock = _locked(path)
    # Nobody has seen it without its lock.
    path = path.rename(path.with_name(_PREFIX + path.name.removeprefix(_UNFINISHED)))
    made = RuntimeDirectory(path)
    try:
        for folder in (made.weights, made.models, made.metrics):
            folder.mkdir()
        yield made
    finally:
        shutil.rmtree(path, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _base(model_repository: Path | None) -> Path:
    needed = max(_LEAST_ROOM_BYTES, 2 * _size(model_repository) if model_repository else 0)
    in_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= needed
    return _MEMORY if in_memory else Path(tempfile.gettempdir())


def _size(folder: Path) -> int:
    size = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it goes, or may not be looked at
            size += file.stat().st_size
    return size


def _remove_left_behind(base: Path) -> None:
    for path in base.glob(f"{_PREFIX}*"):
        lock = None if path.is_symlink() else _locked(path)
        if lock is not None:
            _log.warning("removing %(path)s, left behind by a supervisor that was killed", {"path": path})
            shutil.rmtree(path, ignore_errors=True)
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """Lock a folder of this user for as long as this process lives; None if it is another's, or in use."""
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if os.fstat(lock).st_uid == os.getuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
    except OSError:
        pass
    os.close(lock)
    return None
