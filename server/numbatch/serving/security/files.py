"""Files that are read again when they change."""

from collections.abc import Iterable
from pathlib import Path

# Of each file its device, number, size and time of change; None for one that is not there.
Signature = tuple[tuple[int, int, int, int] | None, ...]


def signature(paths: Iterable[Path]) -> Signature:
    """Return what differs once one of the files was written or replaced. Links are followed, as secrets are mounted."""
    return tuple(_of(path) for path in paths)


def _of(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
