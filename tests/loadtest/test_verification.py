"""Answers are compared bit by bit."""

import numpy as np
import pytest

from numbatch.loadtest.protocol import Answer
from numbatch.loadtest.verification import Verifier, difference
from numbatch.wire.tensors import Array

RIGHT = {"y": np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)}


def one_bit_off() -> Array:
    other = RIGHT["y"].copy()
    other.view(np.uint32)[1, 0] ^= 1
    return other


@pytest.mark.parametrize(
    ("got", "problem"),
    [
        ({"y": RIGHT["y"].copy()}, None),
        ({"y": one_bit_off()}, "1 of 4 numbers differ; y[1, 0] is 3.000000238418579 instead of 3.0"),
        ({"y": RIGHT["y"][:1]}, "output 'y' has shape [1, 2] instead of [2, 2]"),
        ({"y": RIGHT["y"].astype(np.float64)}, "output 'y' is float64 instead of float32"),
        ({"z": RIGHT["y"]}, "outputs z instead of y"),
        ({}, "outputs none instead of y"),
    ],
)
def test_differences_are_told(got: dict[str, Array], problem: str | None) -> None:
    assert difference(RIGHT, got) == problem


def test_numbers_may_be_let_differ_by_a_share_of_the_largest() -> None:
    expected = {"y": np.array([[100.0, 0.0], [np.nan, np.inf]], np.float32)}
    near = {"y": np.array([[99.95, 0.05], [np.nan, np.inf]], np.float32)}
    assert difference(expected, near, tolerance=1e-3) is None
    assert (
        difference(expected, near, tolerance=1e-4)
        == "2 of 4 numbers differ; y[0, 0] is 99.94999694824219 instead of 100.0"
    )
    for place, number in (((1, 0), 0.0), ((1, 1), -np.inf), ((0, 1), np.nan)):
        far = {"y": near["y"].copy()}
        far["y"][place] = number
        assert difference(expected, far, tolerance=1e-3) is not None


def test_a_nan_is_itself_and_0_is_not_minus_0() -> None:
    nan = {"y": np.array([np.nan], np.float32)}
    assert difference(nan, {"y": nan["y"].copy()}) is None
    zero = {"y": np.array([0.0], np.float32)}
    assert difference(zero, {"y": -zero["y"]}) == "1 of 1 numbers differ; y[0] is -0.0 instead of 0.0"


def test_an_answer_that_was_right_is_known_by_its_bytes_for_its_message_only() -> None:
    verifier = Verifier({"y": RIGHT["y"]}, np.array([0, 1, 2]))
    answer = Answer("m/1", {"y": RIGHT["y"][:1]})
    assert not verifier.is_known(0, b"first")
    assert verifier.problem(0, b"first", answer) is None
    assert verifier.is_known(0, b"first")
    assert not verifier.is_known(1, b"first")
    assert verifier.problem(1, b"first", answer) == "2 of 2 numbers differ; y[0, 0] is 1.0 instead of 3.0"
    assert not verifier.is_known(1, b"first")
