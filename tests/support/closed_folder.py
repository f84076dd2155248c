"""A folder whose names can be read, and nothing of what they stand for: one without the permission to search it."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest


def close(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Close a folder to `Path`. Its mode would not do: tests are run by root as well, who may always look."""
    look = Path.stat

    def stat(path: Path, **options: Any) -> os.stat_result:
        there = Path(os.path.realpath(path)) if options.get("follow_symlinks", True) else path
        if folder in there.parents:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
