"""Softmax and its logarithm over rows: against the oracle, bit for bit, and against mathematics."""

from typing import Any

import mpmath
import numpy as np
import pytest
from mpmath import mp

from numbatch.kernels import reference
from support.exact import BITS, ulps
from support.layers import bits, run_activation

INFINITY, NAN = np.inf, np.nan
BOTH = ["softmax", "log_softmax"]


def error(name: str, x: Any) -> float:
    """The largest error, in units in the last place, in some rows of finite numbers."""
    got = run_activation(x, name)
    errors = []
    with mp.workprec(BITS):
        for row, values in zip(got, x, strict=True):
            total = mpmath.fsum(mpmath.exp(mp.mpf(float(value) - float(values.max()))) for value in values)
            for y, value in zip(row, values, strict=True):
                d = mp.mpf(float(value) - float(values.max()))
                expected = mpmath.exp(d) / total if name == "softmax" else d - mpmath.log(total)
                errors.append(ulps(float(y), expected))
    return max(errors)


def dominated() -> Any:
    """A row whose largest element leaves less than 1e-7 to the others, and one whose others are far below float32."""
    return np.array([[20.0, 3.0, 2.0, -1.0], [500.0, 0.0, -1000.0, 1.0]], np.float32)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("width", [*range(1, 71), 100, 1000, 4097])
def test_rows_of_any_width_have_the_bits_of_the_reference(name: str, width: int) -> None:
    x = np.random.default_rng(width).normal(0, 5, (9, width)).astype(np.float32)
    np.testing.assert_array_equal(bits(run_activation(x, name)), bits(reference.activate(x, name)))


@pytest.mark.parametrize("name", BOTH)
def test_rows_with_equal_and_extreme_elements_have_the_bits_of_the_reference(name: str) -> None:
    values = np.array(
        [0.0, -0.0, 1.0, 1.0, -30.0, 88.0, 1e30, -3e38, 3e38, 1e-45, -INFINITY, INFINITY, NAN], np.float32
    )
    x = np.random.default_rng(1).choice(values, (400, 5))
    np.testing.assert_array_equal(bits(run_activation(x, name)), bits(reference.activate(x, name)))


def test_softmax_is_accurate_and_sums_to_one() -> None:
    # Differences that are float32: rounded, exp would magnify the rounding, which is no fault of what follows.
    x = np.random.default_rng(0).integers(-3000, 3000, (50, 100)).astype(np.float32) / np.float32(128)
    assert error("softmax", x) < 5
    np.testing.assert_allclose(run_activation(x, "softmax").sum(axis=1, dtype=np.float64), 1, atol=1e-6)


@pytest.mark.parametrize("spread", [0.01, 1, 8, 100])
def test_log_softmax_is_accurate(spread: float) -> None:
    x = np.random.default_rng(0).normal(0, spread, (20, 100)).astype(np.float32)
    assert error("log_softmax", x) < 2.5


def test_log_softmax_is_accurate_where_softmax_is_1_and_where_it_underflows() -> None:
    assert error("log_softmax", dominated()) < 2.5
    assert run_activation(dominated(), "softmax")[1].tolist() == [1, 0, 0, 0]
    assert run_activation(dominated(), "log_softmax")[1, 1:].tolist() == [-500, -1500, -499]


def test_large_numbers_do_not_overflow() -> None:
    x = np.array([[1e30, 1e30, -1e30]], np.float32)
    assert run_activation(x, "softmax").tolist() == [[0.5, 0.5, 0.0]]
    got = run_activation(x, "log_softmax")
    np.testing.assert_array_equal(got, np.array([[-np.log(2), -np.log(2), -2e30]], np.float32))


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("row", [[NAN, 1.0], [1.0, NAN], [INFINITY, 1.0], [-INFINITY, -INFINITY]])
def test_a_row_without_a_largest_finite_number_is_nan(name: str, row: Any) -> None:
    half = {"softmax": 0.5, "log_softmax": -np.log(2)}[name]
    x = np.array([row, [0.0, 0.0]], np.float32)
    np.testing.assert_array_equal(bits(run_activation(x, name)), bits([[NAN, NAN], [half, half]]))


@pytest.mark.parametrize(("name", "expected"), [("softmax", [1.0, 0.0]), ("log_softmax", [0.0, -INFINITY])])
def test_an_element_of_minus_infinity_has_no_weight(name: str, expected: Any) -> None:
    x = np.array([[3.0, -INFINITY]], np.float32)
    np.testing.assert_array_equal(bits(run_activation(x, name)), bits([expected]))
