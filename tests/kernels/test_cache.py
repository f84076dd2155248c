"""The cache of machine code: it saves time and never costs more than a warning."""

import logging
from typing import Any

import pytest
from numba.core import types

from numbatch.kernels.cache import cache_directory, compiled_once
from numbatch.kernels.target import TARGET

SIGNATURE = types.void(types.Array(types.int64, 1, "C"))


def increment(numbers: Any) -> None:
    numbers[0] += 1


@pytest.fixture
def directory(tmp_path: Any, monkeypatch: Any, caplog: Any) -> Any:
    caplog.set_level(logging.INFO, logger="numbatch.kernels")
    monkeypatch.setenv("NUMBATCH_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def run_it() -> Any:
    import numpy as np

    numbers = np.array([41])
    compiled_once(increment, SIGNATURE, "kernels")(numbers)
    return numbers[0]


def test_the_second_process_does_not_compile(directory: Any, caplog: Any) -> None:
    assert run_it() == 42
    assert run_it() == 42
    assert [record.message.rsplit(" in ", 1)[0] for record in caplog.records] == [
        f"compiling the kernels for {TARGET.name}, once; kept",
        "kernels compiled",
        "kernels taken from the cache",
    ]


def test_the_folder_is_named_after_all_that_shapes_the_code(directory: Any) -> None:
    assert cache_directory().parent == directory
    assert cache_directory().name.startswith("kernels-")


def test_a_folder_that_cannot_be_written_costs_a_warning(directory: Any, caplog: Any) -> None:
    directory.write_text("a file, where a folder should be")
    assert run_it() == 42
    assert "cannot be written" in caplog.text
    assert "NUMBATCH_CACHE_DIR" in caplog.text


def test_a_damaged_cache_costs_a_warning_and_a_compilation(directory: Any, caplog: Any) -> None:
    run_it()
    for file in cache_directory().iterdir():
        file.write_bytes(b"damaged")
    caplog.clear()
    assert run_it() == 42
    assert "cannot be read" in caplog.text
    assert "kernels compiled" in caplog.text


def prepared(compile_elsewhere: Any) -> Any:
    kernel = compiled_once(increment, SIGNATURE, "kernels")
    kernel.prepare(compile_elsewhere)
    return kernel


def test_what_another_process_compiled_is_taken_from_the_cache(directory: Any) -> None:
    assert prepared(run_it).from_cache
    assert prepared(lambda: pytest.fail("there is nothing to compile")).from_cache


def test_if_the_other_process_does_not_compile_this_one_does(directory: Any) -> None:
    assert not prepared(lambda: None).from_cache


def test_no_other_process_compiles_for_a_folder_that_cannot_be_written(directory: Any) -> None:
    directory.write_text("a file, where a folder should be")
    assert not prepared(lambda: pytest.fail("it would be for nothing")).from_cache


def test_numba_that_may_not_compile_is_named_as_the_reason(directory: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("numba.config.DISABLE_JIT", 1)
    with pytest.raises(RuntimeError, match="NUMBA_DISABLE_JIT is set.*unset it"):
        run_it()


def test_a_warm_cache_is_only_read(directory: Any, caplog: Any) -> None:
    def everything() -> Any:
        return {path: path.stat().st_mtime_ns for path in [directory, *directory.rglob("*")]}

    run_it()
    before = everything()
    caplog.clear()
    assert run_it() == 42
    assert [record.message.rsplit(" in ", 1)[0] for record in caplog.records] == ["kernels taken from the cache"]
    assert everything() == before  # a folder's time changes with every file that is made in it, even for a moment
