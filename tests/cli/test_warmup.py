"""`numbatch warmup`, with a kernel that is compiled in no time."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba.core import types

from numbatch.engine import load_model
from numbatch.engine.warmup import warm_up
from numbatch.kernels.cache import cache_directory, compiled_once
from numbatch.kernels.levels import NAMES, compiles_for
from support.command import numbatch
from support.tiny import tiny_model


def double(numbers: Any) -> None:
    numbers[0] *= 2


@pytest.fixture
def new_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Give a function after which nothing is compiled; the cache is `tmp_path`/cache."""
    monkeypatch.setenv("NUMBATCH_CACHE_DIR", str(tmp_path / "cache"))

    def begin() -> None:
        kernel = compiled_once(double, types.void(types.Array(types.int64, 1, "C")), "kernels")
        monkeypatch.setattr("numbatch.engine.warmup.PARTS", (kernel,))

    begin()
    return begin


def test_it_compiles_once_and_says_where_it_keeps_that(new_process: Callable[[], None]) -> None:
    first = json.loads(numbatch("warmup", "--json").out)
    new_process()
    second = json.loads(numbatch("warmup", "--json").out)
    assert first.pop("seconds") > 0 < second.pop("seconds")
    assert first == {
        "instruction_set": load_model(tiny_model()).instruction_set,
        "cache_directory": str(cache_directory()),
        "from_cache": False,
    }
    assert second == {**first, "from_cache": True}
    assert any(cache_directory().iterdir())


def test_text_says_the_same(new_process: Callable[[], None]) -> None:
    for how in ("compiled", "taken from the cache"):
        new_process()
        outcome = numbatch("warmup")
        assert (outcome.code, f" {how} in " in outcome.out) == (0, True)
        assert outcome.out.endswith(f" s; kept in {cache_directory()}\n")


def test_a_cache_that_cannot_be_written_is_3(new_process: Callable[[], None], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, where a folder should be")
    outcome = numbatch("warmup", "--json")
    assert (outcome.code, outcome.out) == (3, "")
    assert f"are compiled, but cannot be kept in {cache_directory()}: " in outcome.err
    assert outcome.err.endswith("; set NUMBATCH_CACHE_DIR to a folder that can be written\n")


def test_what_is_warm_are_the_kernels_that_models_run_on() -> None:
    model = load_model(tiny_model())
    assert warm_up().seconds < 1
    np.testing.assert_array_equal(model.infer([1, 2]), [2, 4])


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The environments of the processes that it started, none of which ran."""
    started: list[dict[str, str]] = []
    told = {"instruction_set": "avx2", "cache_directory": "/cache", "from_cache": False, "seconds": 4.0}

    def run(program: list[str], *, env: dict[str, str], **options: object) -> object:
        started.append(env)
        return subprocess.CompletedProcess(program, 0, json.dumps(told) + "\n")

    monkeypatch.setenv("NUMBATCH_CPU_LEVEL", "host")
    monkeypatch.setattr("numbatch.cli.warmup.subprocess.run", run)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    return started


def test_each_level_is_compiled_in_a_process_of_its_own(programs: list[dict[str, str]]) -> None:
    outcome = numbatch("warmup", "--cpu-level", "all", "--json")
    assert [json.loads(line)["cpu_level"] for line in outcome.out.splitlines()] == list(NAMES)
    for environment, name in zip(programs, NAMES, strict=True):
        assert environment.items() >= compiles_for(name).items()
        assert "NUMBATCH_CPU_LEVEL" not in environment  # it would refuse what this processor does not have


def test_single_levels_may_be_named(programs: list[dict[str, str]]) -> None:
    outcome = numbatch("warmup", "--cpu-level", "x86-64-v3")
    assert outcome.out == "kernels for avx2 (x86-64-v3) compiled in 4.00 s; kept in /cache\n"
    assert len(programs) == 1


def test_where_processors_have_no_levels_all_is_this_one(
    new_process: Callable[[], None], programs: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert numbatch("warmup", "--cpu-level", "all").out.startswith("kernels for ")
    assert programs == []
