"""The examples that need no other framework than the tests have; tests/frameworks runs the others."""

import re

import pytest

from support.example import agreement, run_example
from support.project import ROOT


@pytest.mark.parametrize("name", ["sklearn/wine", "onnx/breast_cancer"])
def test_the_server_says_what_the_framework_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = agreement(run_example(name, capsys))
    assert found.theirs == found.ours >= 0.95 * found.rows
    assert found.difference < 1e-5


def test_a_model_built_by_hand_is_trained_while_it_is_served(capsys: pytest.CaptureFixture[str]) -> None:
    said = run_example("by_hand/new_version", capsys)
    as_drawn, solved, by_hand = (float(each) for each in re.findall(r"([\d.]+)%", said))
    assert as_drawn < 30
    assert solved == by_hand > 95


def test_the_page_lists_all_examples() -> None:
    folder = ROOT / "examples"
    listed = re.findall(r"^\| \[(\S+)\]", (folder / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))
