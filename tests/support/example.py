"""The scripts of examples/, run in this process."""

import importlib.util
import re
from typing import NamedTuple

import pytest

from support.project import ROOT

_COUNTS = re.compile(r"right of (\d+) \w+ +(\d+) +(\d+)$", re.MULTILINE)
_DIFFERENCE = re.compile(r"(?:by|at most) (\d+e[-+]\d+)")


class Agreement(NamedTuple):
    """What the table of an example says.

    Attributes
    ----------
    rows, theirs, ours : int
        How many rows were held out; of how many the framework and the server said what is right.
    difference : float
        The largest difference of an output.
    """

    rows: int
    theirs: int
    ours: int
    difference: float


def run_example(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run the script examples/NAME.py, and return what it prints."""
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main()
    return capsys.readouterr().out


def agreement(said: str) -> Agreement:
    """Read the table that an example of a classifier ends with."""
    counts = _COUNTS.search(said)
    assert counts is not None, said
    differences = _DIFFERENCE.findall(said)
    assert len(differences) == 2, said  # of the output, and of a hidden layer
    rows, theirs, ours = map(int, counts.groups())
    return Agreement(rows, theirs, ours, max(map(float, differences)))
