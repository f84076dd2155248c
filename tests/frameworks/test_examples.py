"""The examples of Keras and PyTorch; tests/examples runs the others."""

import re

import pytest

from support.example import agreement, run_example

pytestmark = [
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),  # TensorFlow
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),  # PyTorch
]


@pytest.mark.parametrize("name", ["keras/digits", "torch/breast_cancer"])
def test_the_server_says_what_the_framework_says(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip(name.partition("/")[0], reason="what is served comes from it")
    found = agreement(run_example(name, capsys))
    assert found.theirs == found.ours >= 0.95 * found.rows
    assert found.difference < 1e-5


def test_wide_and_deep_answer_together(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("keras", reason="what is served comes from it")
    said = run_example("keras/wide_and_deep", capsys)
    off = re.search(r"off by, on average +([\d.]+) +([\d.]+) +([\d.]+)$", said, re.MULTILINE)
    assert off is not None, said
    mean, theirs, ours = map(float, off.groups())
    assert theirs == ours < 0.8 * mean
    for wide, deep, total, _ in re.findall(r"^ +([-\d.]+) +([-\d.]+) +([-\d.]+) +([\d.]+)$", said, re.MULTILINE):
        assert float(wide) + float(deep) == pytest.approx(float(total), abs=0.11)
