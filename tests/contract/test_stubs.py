"""The committed stubs are what the .proto files give, and the check would notice if they were not."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.project import ROOT


def check(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts/stubs.py"), "--check", "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_committed_stubs_are_current() -> None:
    assert check(ROOT / "proto").stderr == ""


def rename_a_field(folder: Path) -> None:
    proto = folder / "tensor.proto"
    proto.write_text(proto.read_text().replace("bytes data = 4", "bytes content = 4"))


def add_a_file_without_stubs(folder: Path) -> None:
    (folder / "extra.proto").write_text('syntax = "proto3";\npackage numbatch.v1;\nmessage Extra {}\n')


def leave_a_stub_behind(folder: Path) -> None:
    (folder / "gone_pb2.py").touch()


DRIFTS: list[tuple[Callable[[Path], None], list[str]]] = [
    (
        rename_a_field,
        [
            "numbatch/v1/tensor_pb2.py is not what its .proto file gives",
            "numbatch/v1/tensor_pb2.pyi is not what its .proto file gives",
        ],
    ),
    (
        add_a_file_without_stubs,
        ["numbatch/v1/extra_pb2.py is missing", "numbatch/v1/extra_pb2.pyi is missing"],
    ),
    (leave_a_stub_behind, ["numbatch/v1/gone_pb2.py has no .proto file"]),
]


@pytest.mark.parametrize(("change", "problems"), DRIFTS)
def test_drift_is_named(tmp_path: Path, change: Callable[[Path], None], problems: list[str]) -> None:
    shutil.copytree(ROOT / "proto/numbatch/v1", tmp_path / "numbatch/v1")
    change(tmp_path / "numbatch/v1")
    checked = check(tmp_path)
    assert checked.returncode == 1
    assert checked.stderr.splitlines() == [*problems, "make proto generates the stubs anew"]
