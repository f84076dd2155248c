"""Disks that take nothing more: a server that has its models needs none."""

import shutil
from pathlib import Path

import pytest

from numbatch.kernels.cache import cache_directory
from numbatch.wire.reasons import Reason
from support.aftermath import metrics, total, unharmed
from support.processes import serving_with_http
from support.raw_calls import raw_calls, refusal
from support.server import write_model
from support.tiny import tiny_model

# Whatever the process writes into files and pipes of its own: there is no room for it.
NO_ROOM = """
import os, resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
log = os.open("/dev/full", os.O_WRONLY)
os.dup2(log, 2)
"""


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_neither_the_log_nor_the_cache_nor_the_repository_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log_format: str
) -> None:
    repository, cache = tmp_path / "models", tmp_path / "cache"
    write_model(repository, tiny_model())
    shutil.copytree(cache_directory(), cache / cache_directory().name)
    monkeypatch.setenv("NUMBATCH_CACHE_DIR", str(cache))
    for folder in (cache, repository):
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    options = {"log_level": "debug", "log_format": log_format}
    try:
        with serving_with_http(repository, before=NO_ROOM, **options) as (process, http):
            with unharmed(process.address, http, [process.popen.pid]), raw_calls(process.address) as calls:
                for n in range(100):
                    assert calls.infer("tiny", [n, -n])[0][1].tolist() == [2 * n, 0]
                    assert refusal(lambda: calls.infer("tiny", [1, 2, 3])).reason is Reason.SHAPE_MISMATCH
                calls.load_model(model_name="tiny")
                calls.load_model(model=tiny_model("another"))
                assert calls.infer("another", [1, 1])[0][1].tolist() == [2, 2]
                assert total(metrics(http), "numbatch_kernel_compilations_total") == 0
            process.popen.terminate()
            assert process.end()[0] == 0
    finally:
        for folder in (cache, repository):
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o755)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
