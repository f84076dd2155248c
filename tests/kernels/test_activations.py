"""The activations against the oracle, bit for bit, and against mathematics, in units in the last place."""

from typing import Any

import numpy as np
import pytest

from numbatch.kernels import reference
from support.layers import bits, run_activation

INFINITY, NAN = np.inf, np.nan


def sample() -> Any:
    """Numbers of every magnitude and both signs, denormals among them: one in 4 001 of all float32."""
    patterns = np.arange(0, 2**32, 4001, dtype=np.uint64).astype(np.uint32)
    numbers = patterns.view(np.float32)
    return numbers[np.isfinite(numbers)].reshape(1, -1)


def ulps(got: Any, exact: Any) -> Any:
    """The distance of float32 results from exact ones, in units in the last place of the exact ones."""
    unit = np.spacing(np.maximum(np.abs(exact), np.finfo(np.float32).tiny).astype(np.float32)).astype(np.float64)
    return np.abs(got.astype(np.float64) - exact) / unit


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "tanh"])
def test_an_activation_gives_the_bits_of_the_reference(activation: Any) -> None:
    x = sample()
    np.testing.assert_array_equal(bits(run_activation(x, activation)), bits(reference.activate(x, activation)))


@pytest.mark.parametrize(
    ("activation", "exact", "most"),
    [
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x)), 2.25),
        ("tanh", np.tanh, 2.5),
    ],
)
def test_an_activation_is_accurate_to_some_ulp(activation: Any, exact: Any, most: Any) -> None:
    x = np.concatenate([sample(), np.linspace(-110, 110, 400_001, dtype=np.float32)[None]], axis=1)
    with np.errstate(over="ignore", under="ignore"):
        expected = exact(x.astype(np.float64))
    assert ulps(run_activation(x, activation), expected).max() < most


@pytest.mark.parametrize(
    ("activation", "values"),
    [
        # of          NaN  inf       -inf       0     -0    least denormal
        ("linear", [NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e-45]),
        ("relu", [NAN, INFINITY, 0.0, 0.0, 0.0, 1e-45]),
        ("sigmoid", [NAN, 1.0, 0.0, 0.5, 0.5, 0.5]),
        ("tanh", [NAN, 1.0, -1.0, 0.0, -0.0, 1e-45]),
    ],
)
def test_special_values(activation: Any, values: Any) -> None:
    x = np.array([[NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e-45]], np.float32)
    np.testing.assert_array_equal(bits(run_activation(x, activation)), bits(np.array([values], np.float32)))


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 31, 32, 33, 64, 100, 1000])
def test_softmax_gives_the_bits_of_the_reference_at_any_width(width: Any) -> None:
    x = np.random.default_rng(width).normal(0, 5, (9, width)).astype(np.float32)
    np.testing.assert_array_equal(bits(run_activation(x, "softmax")), bits(reference.activate(x, "softmax")))


def test_softmax_is_accurate_and_sums_to_one() -> None:
    x = np.random.default_rng(0).normal(0, 8, (50, 100)).astype(np.float32)
    # The difference is rounded to float32 once; exp magnifies that by its size, which is no fault of what follows.
    exact = np.exp((x - x.max(axis=1, keepdims=True)).astype(np.float64))
    exact /= exact.sum(axis=1, keepdims=True)
    got = run_activation(x, "softmax")
    assert ulps(got, exact).max() < 8
    np.testing.assert_allclose(got.sum(axis=1, dtype=np.float64), 1, atol=1e-6)


def test_softmax_of_large_numbers_does_not_overflow() -> None:
    x = np.array([[1e30, 1e30, -1e30]], np.float32)
    assert run_activation(x, "softmax").tolist() == [[0.5, 0.5, 0.0]]


@pytest.mark.parametrize("row", [[NAN, 1.0], [1.0, NAN], [INFINITY, 1.0], [-INFINITY, -INFINITY]])
def test_softmax_of_a_row_without_a_largest_finite_number_is_nan(row: Any) -> None:
    x = np.array([row, [0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(run_activation(x, "softmax"), [[NAN, NAN], [0.5, 0.5]])
