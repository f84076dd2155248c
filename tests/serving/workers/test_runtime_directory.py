"""The folder of a supervisor and its workers."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from numbatch.serving.workers import runtime_directory as module
from numbatch.serving.workers.runtime_directory import runtime_directory

KILLED = """
import os, sys
from pathlib import Path
from numbatch.serving.workers.runtime_directory import runtime_directory
with runtime_directory(Path(sys.argv[1]), None) as runtime:
    (runtime.weights / "arena").write_bytes(b"x")
    os.kill(os.getpid(), 9)
"""


def test_it_is_for_this_user_alone_and_goes_with_the_supervisor(tmp_path: Path) -> None:
    with runtime_directory(tmp_path, None) as runtime:
        assert runtime.path.parent == tmp_path
        assert runtime.path.stat().st_mode & 0o777 == 0o700
        assert all(folder.is_dir() for folder in (runtime.weights, runtime.models, runtime.metrics))
        (runtime.weights / "arena").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_supervisor_left_is_removed_and_what_others_use_is_not(tmp_path: Path) -> None:
    mine = tmp_path / "numbatch-workers-of-mine"
    mine.mkdir()
    (tmp_path / "numbatch-workers-link").symlink_to(mine)
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert len(list(tmp_path.glob("*/weights/arena"))) == 1
    with runtime_directory(tmp_path, None) as first, runtime_directory(tmp_path, None) as second:
        assert list(tmp_path.glob("*/weights/arena")) == []
        assert first.weights.is_dir() and second.weights.is_dir()
        assert mine.is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["numbatch-workers-link", "numbatch-workers-of-mine"]


def test_a_folder_that_cannot_be_used_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no runtime directory in .*nowhere: .*; set runtime_directory to another folder"):
        runtime_directory(tmp_path / "nowhere", None).__enter__()


@pytest.mark.parametrize(("room", "in_memory"), [(3 * 2**30, True), (2**30 - 1, False), (2**31, False)])
def test_it_is_in_memory_where_there_is_room_for_the_models_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int, in_memory: bool
) -> None:
    memory, temporary, repository = (tmp_path / name for name in ("memory", "temporary", "repository"))
    for folder in (memory, temporary, repository):
        folder.mkdir()
    with (repository / "weights").open("wb") as file:
        file.truncate(2**30 + 1)  # a hole
    monkeypatch.setattr(module, "_MEMORY", memory)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=room))
    with runtime_directory(None, repository) as runtime:
        assert runtime.path.parent == (memory if in_memory else temporary)
