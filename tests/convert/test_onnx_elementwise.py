"""Arithmetic: with constants, of arrays, and bounds."""

from typing import Any

import pytest

from numbatch.convert import from_onnx
from numbatch.wire.errors import InvalidModelError, UnsupportedError
from support.onnx_models import assert_agrees, drawn, layers_of, onnx_model

C = drawn(3, 8) + 3
CONSTANTS = {"c": C, "d": C[::-1] / 4, "one": 1, "two": 2, "three": 3, "low": -0.5, "high": 0.75, "slope": -C / 9}


@pytest.mark.parametrize(
    "node",
    [
        "Add(x, c)",
        "Add(c, x)",
        "Sub(x, c)",
        "Sub(c, x)",
        "Mul(x, c)",
        "Mul(c, x)",
        "Div(x, c)",
        "Div(x, two)",
        "Neg(x)",
    ],
)
def test_arithmetic_with_a_constant_is_an_affine_layer(node: str) -> None:
    converted = from_onnx(onnx_model(f"y = {node}", CONSTANTS))
    assert layers_of(converted.model) == [("y", "batch_normalization")]
    assert_agrees(converted)


@pytest.mark.parametrize("node", ["Add(x, t)", "Sub(x, t)", "Mul(x, t)", "Sum(x, t, x)", "Mean(x, t)", "Pow(t, two)"])
def test_arithmetic_of_arrays(node: str) -> None:
    assert_agrees(from_onnx(onnx_model(f"t = Tanh(x) y = {node}", CONSTANTS)))


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("a = Sub(x, c) y = Div(a, c)", "normalization"),
        ("a = Sub(x, c) y = Mul(a, d)", "batch_normalization"),
        ("a = Sub(x, c) b = Mul(a, d) y = Add(b, c)", "batch_normalization"),
        ("a = Mul(x, d) y = Add(a, c)", "batch_normalization"),
    ],
)
def test_shift_and_scale_are_one_layer(body: str, kind: str) -> None:
    constants = {**CONSTANTS, "c": abs(C) + 1}
    converted = from_onnx(onnx_model(body, constants))
    assert layers_of(converted.model) == [("y", kind)]
    assert_agrees(converted)


def test_a_constant_that_differs_along_other_axes_is_applied_to_all_elements_of_an_example() -> None:
    ends: dict[str, Any] = {"inputs": "float[N,3,8] x", "outputs": "float[N,3,8] y"}
    assert_agrees(from_onnx(onnx_model("y = Add(x, positions)", {"positions": drawn(4, 1, 3, 8)}, **ends)))


def test_a_single_column_is_repeated_beside_rows() -> None:
    body = "g = MatMul(x, w) s = Sigmoid(g) y = Mul(x, s)"
    converted = from_onnx(onnx_model(body, {"w": drawn(5, 8, 1)}))
    assert [name for name, _ in layers_of(converted.model)] == ["g", "s", "y/repeated_1", "y"]
    assert_agrees(converted)


@pytest.mark.parametrize("node", ["Clip(x, low, high)", "Clip(x, low)", "Clip(x, , high)", "PRelu(x, slope)"])
def test_bounds_and_slopes_are_made_of_activations(node: str) -> None:
    assert_agrees(from_onnx(onnx_model(f"y = {node}", CONSTANTS)))


def test_bounds_were_attributes_once() -> None:
    assert_agrees(from_onnx(onnx_model("y = Clip<min = -0.5, max = 0.75>(x)", opset=9)))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("t = Exp(x) y = Div(x, t)", "it divides by an array that depends on the model's inputs"),
        ("y = Div(one, x)", "it divides by an array that depends on the model's inputs"),
        ("y = Pow(x, high)", "this exponent: got Pow: 0.75, expected 1, 2 or 3"),
        ("y = Add(x, wide)", "a constant that widens the array"),
        ("h = MatMul(x, w) y = Add(x, h)", "arrays of different shapes: got Add: [..., 8] and [..., 3]"),
        ("y = Sqrt(x)", "no layer does this: got Sqrt"),
    ],
)
def test_other_arithmetic_is_refused_by_name(body: str, problem: str) -> None:
    constants = {**CONSTANTS, "wide": drawn(6, 5, 1, 8), "w": drawn(7, 8, 3)}
    with pytest.raises(UnsupportedError, match="^y: ") as caught:
        from_onnx(onnx_model(body, constants))
    assert problem in caught.value.message


def test_division_by_zero_is_no_layer() -> None:
    with pytest.raises(InvalidModelError, match=r"y: its constant holds what is not finite.*WEIGHTS_NOT_FINITE"):
        from_onnx(onnx_model("y = Div(x, zero)", {"zero": 0}))
