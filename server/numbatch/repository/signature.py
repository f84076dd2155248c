"""Signatures of files: whether anything in a version's folder has changed, without reading it."""

import os
from pathlib import Path

# (path, mode, size, time of the last change) of each file. The mode is there so that a permission that was mended
# counts. Not the inode: some network file systems make it up anew.
Signature = tuple[tuple[str, int, int, int], ...]

# Of a version that was found, and that nobody has tried to load yet.
NOT_TRIED: Signature = ()


def signature(folder: Path, *others: Path) -> Signature:
    """Return what tells whether the files of a folder, or others, have changed: their sizes, times and permissions.

    Links are followed, so that a change of what they lead to is a change. A file that cannot be looked at has a
    size of -1.
    """
    files = [Path(top, name) for top, _, names in os.walk(folder) for name in names]
    return tuple(_file(path, os.path.relpath(path, folder)) for path in sorted([*files, *others]))


def _file(path: Path, name: str) -> tuple[str, int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return name, 0, -1, 0
    return name, status.st_mode, status.st_size, status.st_mtime_ns
