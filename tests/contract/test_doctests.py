"""The examples in docstrings are true, but for those that need a server."""

import doctest
import importlib
from pathlib import Path

import pytest

from support.project import ROOT, SOURCE_ROOTS


def has_examples(path: Path) -> bool:
    text = path.read_text()
    return ">>> " in text and "+SKIP" not in text


def module_name(path: Path, root: str) -> str:
    return ".".join(path.relative_to(ROOT / root).with_suffix("").parts).removesuffix(".__init__")


MODULES = [
    module_name(path, root)
    for root in SOURCE_ROOTS
    for path in sorted((ROOT / root).rglob("*.py"))
    if has_examples(path)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name))
    assert outcome.attempted > 0
    assert outcome.failed == 0
