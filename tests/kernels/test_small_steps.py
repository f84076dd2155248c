"""The layers beside dense ones: the bits of the oracle for rows of any width, beside memory that is not theirs."""

from typing import Any

import numpy as np
import pytest

from numbatch.kernels import reference_layers
from numbatch.kernels.steps import ADD, AFFINE, LAYER_NORM, MULTIPLY
from support.layers import bits, run_small_step

WIDTHS = [*range(1, 35), 47, 48, 49, 64, 100, 1000]
SPECIAL = np.array([0.0, -0.0, 1.0, -2.5, 1e-45, 3e38, -3e38, np.inf, -np.inf, np.nan], np.float32)
# A NaN with another sign and payload, as other programs make them.
STRANGE = np.array([0xFFC12345], np.uint32).view(np.float32)


def drawn(seed: int, *shape: int) -> Any:
    return np.random.default_rng(seed).normal(0, 3, shape).astype(np.float32)


@pytest.mark.parametrize("width", WIDTHS)
def test_an_affine_function_has_the_bits_of_the_oracle(width: int) -> None:
    x, vectors = drawn(width, 9, width), drawn(width + 1, 3, width)
    got = run_small_step(AFFINE, [x], vectors)
    np.testing.assert_array_equal(bits(got), bits(reference_layers.affine(x, *vectors)))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("kind", "oracle"), [(ADD, reference_layers.add), (MULTIPLY, reference_layers.multiply)])
def test_sums_and_products_have_the_bits_of_the_oracle(width: int, kind: int, oracle: Any) -> None:
    x, y = drawn(width, 9, width), drawn(width + 1, 9, width)
    np.testing.assert_array_equal(bits(run_small_step(kind, [x, y])), bits(oracle(x, y)))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_normalised_row_has_the_bits_of_the_oracle(width: int) -> None:
    x, (scale, offset) = drawn(width, 9, width), drawn(width + 1, 2, width)
    got = run_small_step(LAYER_NORM, [x], [scale, offset], epsilon=1e-5)
    np.testing.assert_array_equal(bits(got), bits(reference_layers.layer_norm(x, scale, offset, 1e-5)))


@pytest.mark.parametrize(("kind", "oracle"), [(ADD, reference_layers.add), (MULTIPLY, reference_layers.multiply)])
def test_special_numbers_have_the_bits_of_the_oracle(kind: int, oracle: Any) -> None:
    values = np.concatenate([SPECIAL, STRANGE])
    x, y = (each.reshape(11, 11) for each in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        expected = oracle(x, y)
    np.testing.assert_array_equal(bits(run_small_step(kind, [x, y])), bits(expected))


@pytest.mark.parametrize("kind", [AFFINE, LAYER_NORM])
def test_nan_is_canonical(kind: int) -> None:
    x = np.array([[1.0, np.inf, 2.0], [1.0, STRANGE[0], 2.0]], np.float32)
    vectors = [np.zeros(3), np.ones(3), np.zeros(3)] if kind == AFFINE else [np.ones(3), np.zeros(3)]
    got = run_small_step(kind, [x], vectors, epsilon=1e-3)
    assert set(bits(got[np.isnan(got)]).tolist()) == {0x7FC00000}


def test_rows_far_from_zero_are_normalised_accurately() -> None:
    """Where the mean is 1000 standard deviations, sum(x^2) - sum(x)^2 would have nothing left."""
    x = (1000 + np.random.default_rng(0).normal(0, 1, (20, 64))).astype(np.float32)
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / exact.std(1, keepdims=True)
    got = run_small_step(LAYER_NORM, [x], [np.ones(64), np.zeros(64)], epsilon=1e-12)
    # The mean is rounded to float32: 3e-5 of 1000.
    np.testing.assert_allclose(got, exact, atol=1e-4)


def test_features_far_from_zero_are_normalised_accurately() -> None:
    """The mean is subtracted first: of a year, as factor x + offset, 1e-4 would be left wrong."""
    years = np.arange(1990, 2030, dtype=np.float32)[:, None]
    got = run_small_step(AFFINE, [years], [[2010.0], [np.float32(1 / 11.5)], [0.0]])
    np.testing.assert_allclose(got, (years - 2010.0) / 11.5, rtol=1e-7)
