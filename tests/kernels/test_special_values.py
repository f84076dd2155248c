"""NaN, infinities, signed zeros and denormals through dense layers: the oracle's bits, and one NaN only."""

from typing import Any

import numpy as np
import pytest

from numbatch.engine.precision import round_to_bfloat16
from numbatch.kernels import reference
from numbatch.kernels.microkernel import KB
from numbatch.kernels.target import NR, TARGET
from support.layers import bits, run_dense
from support.networks import ACTIVATIONS

LARGEST, TINY = float(np.finfo(np.float32).max), float(np.finfo(np.float32).tiny)
FINITE = np.array([0.0, -0.0, 1e-45, -1e-45, 1e-39, -1e-39, TINY, -TINY, LARGEST, -LARGEST, 1e30, -1e30], np.float32)
NAN_BITS = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF, 0xFFC12345], np.uint32)
SPECIAL = np.concatenate([FINITE, np.array([np.inf, -np.inf], np.float32), NAN_BITS.view(np.float32)])
ROWS, UNITS = TARGET.mr + 3, NR + 3


def draw(inputs: int) -> Any:
    """Ordinary rows, each with a special value or two at its own places, and rows of nothing else; special weights."""
    rng = np.random.default_rng(inputs)
    x = rng.standard_normal((4 * ROWS, inputs)).astype(np.float32)
    for row in x[: 3 * ROWS]:
        row[rng.integers(inputs, size=2)] = rng.choice(SPECIAL, 2)
    x[3 * ROWS :] = rng.choice(FINITE[:8], (ROWS, inputs))
    kernel = rng.standard_normal((inputs, UNITS)).astype(np.float32)
    kernel[rng.random(kernel.shape) < 0.1] = 0
    kernel[:, ::3] = rng.choice(FINITE, (inputs, len(range(0, UNITS, 3))))
    bias = rng.standard_normal(UNITS).astype(np.float32)
    bias[::2] = rng.choice(FINITE, len(bias[::2]))
    return x, kernel, bias


@pytest.mark.parametrize("bf16", [False, True], ids=["f32", "bf16"])
@pytest.mark.parametrize("inputs", [1, 5, KB + 9])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_special_values_give_the_bits_of_the_reference(activation: str, inputs: int, bf16: bool) -> None:
    x, kernel, bias = draw(inputs)
    if bf16:
        kernel = round_to_bfloat16(np.clip(kernel, -3e38, 3e38))
    got = run_dense(x, kernel, bias, activation, alpha=0.3, bf16=bf16)
    expected = reference.dense(x, kernel, bias, activation, 0.3)
    np.testing.assert_array_equal(bits(got), bits(expected))
    assert set(bits(got[np.isnan(got)]).tolist()) == {0x7FC00000}


@pytest.mark.parametrize("bf16", [False, True], ids=["f32", "bf16"])
@pytest.mark.parametrize("position", [0, 1, KB - 1, KB, KB + 8])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_in_one_row_stays_in_it(value: float, position: int, bf16: bool) -> None:
    x, kernel = np.ones((2 * TARGET.mr + 1, KB + 9), np.float32), np.ones((KB + 9, UNITS), np.float32)
    x[TARGET.mr, position] = value
    got = run_dense(x, kernel, np.zeros(UNITS, np.float32), bf16=bf16)
    assert (np.delete(got, TARGET.mr, axis=0) == KB + 9).all()
    np.testing.assert_array_equal(bits(got[TARGET.mr]), bits(np.full(UNITS, value)))


def test_a_weight_of_zero_times_infinity_is_nan() -> None:
    """Nobody may leave out the products with a weight of zero."""
    x, kernel = np.full((1, 3), np.inf, np.float32), np.zeros((3, 2), np.float32)
    np.testing.assert_array_equal(bits(run_dense(x, kernel, np.zeros(2, np.float32))), bits([[np.nan] * 2]))


@pytest.mark.parametrize("activation", ["linear", "leaky_relu", "tanh", "elu"])
def test_a_sum_of_negative_zeros_is_positive_zero(activation: str) -> None:
    """Blocks are summed from +0, and -0 + 0 is +0."""
    x, kernel = np.full((1, 4), -0.0, np.float32), np.ones((4, 1), np.float32)
    got = run_dense(x, kernel, np.array([-0.0], np.float32), activation, alpha=0.3)
    assert bits(got).tolist() == [[0]]
