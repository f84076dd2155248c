"""Bytes from elsewhere are data: nothing in the sources turns them into code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.project import ROOT, SOURCE_ROOTS

MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
SOURCES = sorted(path for root in SOURCE_ROOTS for path in (ROOT / root).rglob("*.py"))


def dangers(source: str) -> Iterator[str]:
    """Yield what could run code that a file or a message brings."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in MODULES:
            yield node.module or ""
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
                yield node.func.id
            for keyword in node.keywords:
                # numpy's, and what it is by default is not to be relied on either
                if keyword.arg == "allow_pickle" and getattr(keyword.value, "value", True) is not False:
                    yield "allow_pickle"
            if ast.unparse(node.func) == "torch.load" and "weights_only=True" not in ast.unparse(node):
                yield "torch.load"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_unpickles_or_evaluates(path: Path) -> None:
    assert list(dangers(path.read_text(encoding="utf-8"))) == []


def test_every_array_is_read_from_a_file_without_pickle() -> None:
    loads = [
        (path.name, ast.unparse(node))
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("np.load", "numpy.load")
    ]
    assert loads
    assert [load for load in loads if "allow_pickle=False" not in load[1]] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", ["pickle"]),
        ("from joblib import load", ["joblib"]),
        ("np.load(f, allow_pickle=True)", ["allow_pickle"]),
        ("np.load(f, allow_pickle=trust)", ["allow_pickle"]),
        ("np.load(f, allow_pickle=False)", []),
        ("torch.load(f)", ["torch.load"]),
        ("torch.load(f, weights_only=False)", ["torch.load"]),
        ("torch.load(f, weights_only=True)", []),
        ("eval(text)", ["eval"]),
        ("literal_eval(text)", []),
    ],
)
def test_what_it_looks_for_is_found(source: str, found: list[str]) -> None:
    assert list(dangers(source)) == found
