"""The battery: every shape that could go wrong, compared with the oracle bit for bit."""

from typing import Any

import numpy as np
import pytest

from numbatch.kernels import reference
from numbatch.kernels.microkernel import KB
from numbatch.kernels.target import NR, TARGET
from support.layers import bits, run_dense

MR = TARGET.mr


def draw(rows: Any, inputs: Any, units: Any, seed: Any = 0) -> Any:
    rng = np.random.default_rng([seed, rows, inputs, units])
    x = rng.standard_normal((rows, inputs)).astype(np.float32)
    kernel = rng.standard_normal((inputs, units)).astype(np.float32) / np.float32(np.sqrt(inputs))
    return x, kernel, rng.standard_normal(units).astype(np.float32)


def assert_equals_reference(rows: Any, inputs: Any, units: Any, activation: Any = "linear") -> None:
    x, kernel, bias = draw(rows, inputs, units)
    got = run_dense(x, kernel, bias, activation)
    np.testing.assert_array_equal(bits(got), bits(reference.dense(x, kernel, bias, activation)))


@pytest.mark.parametrize("activation", ["linear", "relu", "sigmoid", "tanh", "softmax"])
@pytest.mark.parametrize("rows", range(1, 41))
def test_every_batch_size_gives_the_bits_of_the_reference(rows: Any, activation: Any) -> None:
    assert_equals_reference(rows, 70, NR + 18, activation)


@pytest.mark.parametrize("inputs", [1, 2, 3, 15, 16, 17, KB - 1, KB, KB + 1, 2 * KB, 2 * KB + 1, 5 * KB - 1])
@pytest.mark.parametrize("rows", [1, MR, MR + 1])
def test_every_number_of_inputs_around_a_block(inputs: Any, rows: Any) -> None:
    assert_equals_reference(rows, inputs, 20, "relu")


@pytest.mark.parametrize(
    "units", [1, 2, 15, 16, 17, NR - 1, NR, NR + 1, 2 * NR, 4 * NR, 4 * NR + 1, 5 * NR, 9 * NR - 1]
)
@pytest.mark.parametrize("rows", [1, 2, 3, 5, MR, 2 * MR + 1])
def test_every_number_of_units_around_a_panel(units: Any, rows: Any) -> None:
    assert_equals_reference(rows, 37, units)


SHAPES = {
    "square": (64, 64, 64),
    "deep": (5, 3000, 3),
    "shallow": (130, 1, 130),
    "narrow": (300, 100, 1),
    "wide": (3, 20, 2000),
    "one of each": (1, 1, 1),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_shapes_of_every_kind(shape: Any) -> None:
    rows, inputs, units = shape
    assert_equals_reference(rows, inputs, units, "relu")


LARGE = [(8192, 17), (17, 8192), (1, 8192), (8192, 1), (3000, 40), (1000, 1000)]


def sizes_of_all_kinds() -> list[tuple[int, int]]:
    """Inputs and units from 1 to 8192, small ones as often as large ones, but for layers that take the oracle long."""
    sizes = np.exp2(np.random.default_rng(0).uniform(0, 13, (300, 2))).astype(int).tolist()
    return LARGE + [(inputs, units) for inputs, units in sizes if inputs * units <= 100_000]


@pytest.mark.parametrize(("inputs", "units"), sizes_of_all_kinds())
def test_sizes_of_all_kinds(inputs: Any, units: Any) -> None:
    x, kernel, bias = draw(40, inputs, units)
    expected = reference.dense(x, kernel, bias)
    for rows in (1, 5, 40):
        np.testing.assert_array_equal(bits(run_dense(x[:rows], kernel, bias)), bits(expected[:rows]))


@pytest.mark.parametrize(("inputs", "units"), LARGE)
def test_large_layers_with_weights_of_bfloat16(inputs: Any, units: Any) -> None:
    x, kernel, bias = draw(40, inputs, units)
    kernel = (bits(kernel) & np.uint32(0xFFFF0000)).view(np.float32)
    expected = reference.dense(x, kernel, bias)
    for rows in (1, 5, 40):
        np.testing.assert_array_equal(bits(run_dense(x[:rows], kernel, bias, bf16=True)), bits(expected[:rows]))


def test_a_row_has_the_same_bits_alone_and_anywhere_in_any_batch() -> None:
    x, kernel, bias = draw(3 * MR + 1, 300, 50)
    alone = np.concatenate([run_dense(x[i : i + 1], kernel, bias, "sigmoid") for i in range(len(x))])
    for rows in range(1, len(x) + 1):
        np.testing.assert_array_equal(bits(run_dense(x[:rows], kernel, bias, "sigmoid")), bits(alone[:rows]))
    backwards = run_dense(x[::-1].copy(), kernel, bias, "sigmoid")[::-1]
    np.testing.assert_array_equal(bits(backwards), bits(alone))


@pytest.mark.parametrize("block", [1, 2, MR, 5 * MR + 3])
def test_the_rows_of_a_block_change_no_bit(block: Any) -> None:
    x, kernel, bias = draw(5 * MR, 2 * KB + 3, 40)
    expected = reference.dense(x, kernel, bias, "tanh")
    np.testing.assert_array_equal(bits(run_dense(x, kernel, bias, "tanh", block=block)), bits(expected))


def test_small_whole_numbers_are_summed_exactly() -> None:
    """Legible where bits are not: any order gives the same sum, so a wrong one is a wrong element."""
    rng = np.random.default_rng(1)
    x, kernel = (rng.integers(-8, 9, shape).astype(np.float32) for shape in [(23, 600), (600, 70)])
    bias = rng.integers(-8, 9, 70).astype(np.float32)
    np.testing.assert_array_equal(run_dense(x, kernel, bias), (x.astype(int) @ kernel.astype(int) + bias).astype(int))


def test_the_bias_comes_first() -> None:
    """With the bias last, 2^24 + 1 - 2^24 would be 0, not 1."""
    x, kernel = np.ones((1, KB + 1), np.float32), np.zeros((KB + 1, 1), np.float32)
    kernel[0], kernel[KB] = 2**24, 1
    assert run_dense(x, kernel, np.array([-(2.0**24)], np.float32))[0, 0] == 1


def test_special_values_pass_through_the_sum() -> None:
    rows = np.array([[np.inf, 1], [-np.inf, 1], [np.nan, 1], [np.inf, np.nan], [1e-45, 0], [-0.0, -0.0]], np.float32)
    kernel, bias = np.array([[1], [0]], np.float32), np.array([-0.0], np.float32)
    got = run_dense(rows, kernel, bias)[:, 0]
    expected = np.array([np.inf, -np.inf, np.nan, np.nan, 1e-45, 0.0], np.float32)
    np.testing.assert_array_equal(bits(got), bits(expected))


def test_every_nan_is_the_canonical_one() -> None:
    payload = np.array([[0xFFC12345, 0x7F800001]], np.uint32).view(np.float32)
    for activation in ("linear", "relu", "sigmoid", "tanh", "softmax"):
        got = run_dense(payload, np.eye(2, dtype=np.float32), np.zeros(2, np.float32), activation)
        assert bits(got).tolist() == [[0x7FC00000] * 2], activation
