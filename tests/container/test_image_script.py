"""What scripts/image.py takes into an image, and what it leaves out."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.project import ROOT


@pytest.fixture(scope="module")
def script() -> Iterator[Any]:
    spec = importlib.util.spec_from_file_location("image", ROOT / "scripts" / "image.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module


def test_the_client_is_taken_without_what_only_servers_need(script: Any) -> None:
    client, server = set(script.needed("numbatch[cli]")), set(script.needed("numbatch[server]"))
    assert {"numbatch", "grpcio", "numpy", "protobuf", "click", "rich"} <= client < server
    assert client.isdisjoint({"numba", "llvmlite", "aiohttp"})
    assert {"numba", "llvmlite", "aiohttp", "grpcio-health-checking"} <= server


def test_what_builds_and_tests_is_taken_by_none(script: Any) -> None:
    assert set(script.needed("numbatch[server]")).isdisjoint({"pip", "hatchling", "pytest", "setuptools", "mypy"})


@pytest.mark.parametrize(
    ("file", "is_taken"),
    [
        ("numba/core/caching.py", True),
        ("numba/_dispatcher.cpython-313-x86_64-linux-gnu.so", True),
        ("llvmlite-0.50.0.dist-info/licenses/LICENSE", True),
        ("../../../bin/numbatch", True),
        ("numpy/testing/__init__.py", True),  # imported by numba
        ("numpy/_core/tests/test_dtype.py", False),
        ("numpy/__init__.pyi", False),
        ("numpy/_core/include/numpy/ndarraytypes.h", False),
        ("numpy/f2py/__main__.py", False),
        ("numba/cuda/api.py", False),
        ("numba/core/__pycache__/caching.cpython-313.pyc", False),  # all are made anew
        ("../../../bin/f2py", False),
    ],
)
def test_files_that_no_program_reads_are_left_out(script: Any, file: str, is_taken: bool) -> None:
    assert (script.LEFT_OUT.search(file) is None) == is_taken


def test_python_is_taken_with_every_link_that_leads_to_it(script: Any) -> None:
    files = list(script.files_of_python())
    assert Path(sys.executable) in files
    assert Path(sys.executable).resolve() in files
    names = {file.name for file in files}
    assert {"os.py", "ssl.py", "pyvenv.cfg"} <= names
    assert names.isdisjoint({"turtle.py", "ensurepip", "idle.py"})


def test_the_libraries_that_a_program_is_linked_with_are_found(script: Any) -> None:
    found = {path.name for path in script.libraries_of([Path(sys.executable).resolve()])}
    assert {"libc.so.6", "libgcc_s.so.1"} <= found
