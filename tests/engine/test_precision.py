"""Weights in bfloat16: the rounding, bit for bit, and models that are loaded with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from numbatch.engine import load_model, validate_model
from numbatch.engine.precision import LARGEST_BFLOAT16, round_to_bfloat16
from numbatch.models import Dense, Input, Sequential
from numbatch.models.initializers import Constant
from numbatch.wire.errors import InvalidArgumentError, InvalidModelError
from numbatch.wire.models import array_of
from numbatch.wire.reasons import Reason

INFINITY = 0x7F800000


def rounded(*bits: int) -> list[int]:
    """Round float32 numbers given, and returned, as their bits."""
    numbers = np.array(bits, np.uint32).view(np.float32)
    return [int(number) for number in round_to_bfloat16(numbers).view(np.uint32)]


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0x3F800000, 0x3F800000),  # 1
        (0x3F807FFF, 0x3F800000),  # below a half
        (0x3F808000, 0x3F800000),  # a half, the last bit that stays is 0
        (0x3F808001, 0x3F810000),  # above a half
        (0x3F817FFF, 0x3F810000),
        (0x3F818000, 0x3F820000),  # a half, the last bit that stays is 1
        (0x3FFF8000, 0x40000000),  # into the next power of two
        (0x00000000, 0x00000000),
        (0x00000001, 0x00000000),  # the smallest denormal
        (0x00008000, 0x00000000),  # half of the smallest denormal that stays
        (0x00008001, 0x00010000),
        (0x00018000, 0x00020000),
        (0x007FFFFF, 0x00800000),  # the largest denormal becomes the smallest normal number
        (0x7F7F0000, 0x7F7F0000),  # the largest bfloat16
        (0x7F7F7FFF, 0x7F7F0000),
        (0x7F7F8000, INFINITY),
        (0x7F7FFFFF, INFINITY),  # the largest float32
        (INFINITY, INFINITY),
    ],
    ids=hex,
)
def test_the_nearest_is_taken_and_of_two_the_even_one_whatever_the_sign(bits: int, expected: int) -> None:
    assert rounded(bits, 0x80000000 | bits) == [expected, 0x80000000 | expected]


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7F800001, 0x7FFFFFFF, 0xFFFFFFFF, 0xFF80FFFF], ids=hex)
def test_nan_stays_nan(bits: int) -> None:
    (got,) = rounded(bits)
    assert np.isnan(np.uint32(got).view(np.float32))
    assert got & 0xFFFF == 0


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_no_bfloat16_is_nearer(number: float) -> None:
    (bits,) = np.array([number], np.float32).view(np.uint32)
    cut = int(bits) & 0xFFFF0000
    below, above = (_exact(candidate) for candidate in (cut, cut + 0x10000))
    got = _exact(rounded(int(bits))[0])
    assert abs(got - number) == min(abs(below - number), abs(above - number))


def _exact(bits: int) -> float:
    """The number as a float64, in which the infinity is the number that would come after the largest bfloat16."""
    if bits & 0x7FFFFFFF == INFINITY:
        return float(np.copysign(2.0**128, np.int32(-1 if bits >> 31 else 1)))
    return float(np.uint32(bits).view(np.float32))


def test_rounding_leaves_the_given_array_alone_and_keeps_its_shape() -> None:
    array = np.linspace(1, 2, 24, dtype=np.float32).reshape(4, 6).T
    before = array.copy()
    array.flags.writeable = False
    got = round_to_bfloat16(array)
    np.testing.assert_array_equal(array, before)
    np.testing.assert_array_equal(got, [round_to_bfloat16(row) for row in before])
    assert not np.array_equal(got, array)
    np.testing.assert_array_equal(round_to_bfloat16(got), got)


def test_a_bf16_model_is_the_f32_model_of_its_rounded_weights() -> None:
    message = Sequential([Input((10,)), Dense(40, "relu"), Dense(5, "softmax")], seed=1).to_message("net")
    for layer in message.layers:  # biases that bfloat16 would change
        layer.dense.bias.data = np.full(layer.dense.units, np.float32(1 / 3)).tobytes()
    model = load_model(message, weights_precision="bf16")
    assert (load_model(message).summary.weights_precision, model.summary.weights_precision) == ("f32", "bf16")

    kept = model.message()
    for before, after in zip(message.layers, kept.layers, strict=True):
        kernel = array_of(before.dense.kernel)
        np.testing.assert_array_equal(array_of(after.dense.kernel), round_to_bfloat16(kernel))
        assert after.dense.bias == before.dense.bias
    x = np.random.default_rng(2).standard_normal((30, 10)).astype(np.float32)
    layers = ["dense", "dense_1"]
    got, expected = model.infer(x, layers=layers), load_model(kept).infer(x, layers=layers)
    for name in layers:
        np.testing.assert_array_equal(got[name], expected[name])
    assert not np.array_equal(got["dense_1"], load_model(message).infer(x))


def test_a_weight_too_large_for_bf16_is_named() -> None:
    kernel = np.ones((3, 2), np.float32)
    kernel[1, 1] = -np.finfo(np.float32).max
    message = Sequential([Input((3,)), Dense(2, kernel_initializer=Constant(kernel))]).to_message("large")
    assert load_model(message).summary.weights_precision == validate_model(message).weights_precision == "f32"
    with pytest.raises(InvalidModelError) as refused:
        load_model(message, weights_precision="bf16")
    assert (refused.value.reason, refused.value.field) == (
        Reason.WEIGHTS_NOT_FINITE,
        "model.layers[0].dense.kernel[1, 1]",
    )
    assert refused.value.message.endswith(
        "an infinity once rounded to bf16: got -3.4028235e+38, expected at most 3.389531e+38 in size; "
        "load the model with weights_precision f32"
    )
    kernel[1, 1] = LARGEST_BFLOAT16
    message = Sequential([Input((3,)), Dense(2, kernel_initializer=Constant(kernel))]).to_message("large")
    load_model(message, weights_precision="bf16")


@pytest.mark.parametrize("name", ["", "f16", "BF16"])
def test_another_precision_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"weights_precision: got '{name}', expected f32 or bf16"):
        load_model(Sequential([Input((3,)), Dense(2)], seed=1).to_message("net"), weights_precision=name)
