"""Products with constant weights are dense layers."""

import numpy as np
import pytest

from numbatch.convert import from_onnx
from numbatch.wire.errors import UnsupportedError
from numbatch.wire.models import array_of
from support.onnx_models import assert_agrees, drawn, layers_of, onnx_model

W, B = drawn(1, 8, 8), drawn(2, 8)


@pytest.mark.parametrize(
    "node",
    [
        "Gemm(x, W, b)",
        "Gemm(x, W)",
        "Gemm<transB = 1>(x, W, b)",
        "Gemm<alpha = 0.5, beta = 3.0>(x, W, b)",
        "Gemm<beta = 0.0>(x, W, b)",
        "Gemm(x, W, scalar)",
        "Gemm(x, W, row)",
    ],
)
def test_gemm_is_one_dense_layer(node: str) -> None:
    constants = {"W": W, "b": B, "scalar": [0.25], "row": B[None]}
    converted = from_onnx(onnx_model(f"y = {node}", constants))
    assert layers_of(converted.model) == [("y", "dense")]
    assert_agrees(converted)


def test_matmul_and_the_bias_after_it_are_one_layer_of_the_sums_name() -> None:
    converted = from_onnx(onnx_model("h = MatMul(x, W) y = Add(b, h)", {"W": W, "b": B}))
    assert layers_of(converted.model) == [("y", "dense")]
    np.testing.assert_array_equal(array_of(converted.model.layers[0].dense.bias), B)
    assert_agrees(converted)


def test_a_product_that_something_else_uses_too_stays_a_layer() -> None:
    converted = from_onnx(onnx_model("h = MatMul(x, W) s = Add(h, b) y = Mul(s, h)", {"W": W, "b": B}))
    assert layers_of(converted.model) == [("h", "dense"), ("s", "batch_normalization"), ("y", "multiply")]
    assert_agrees(converted)


def test_a_product_over_the_last_of_several_axes() -> None:
    body = "h = MatMul(x, W) y = Add(h, b)"
    model = onnx_model(body, {"W": W, "b": B}, inputs="float[N,3,8] x", outputs="float[N,3,8] y")
    assert_agrees(from_onnx(model))


def test_weights_that_are_computed_from_constants_are_constants() -> None:
    body = "V = Transpose<perm = [1, 0]>(W) U = Mul(V, two) y = MatMul(x, U)"
    converted = from_onnx(onnx_model(body, {"W": W, "two": 2}))
    np.testing.assert_array_equal(array_of(converted.model.layers[0].dense.kernel), 2 * W.T)
    assert_agrees(converted)


def test_a_gemm_adds_an_array_that_depends_on_the_inputs_as_a_layer_of_its_own() -> None:
    converted = from_onnx(onnx_model("y = Gemm<beta = 2.0>(x, W, x)", {"W": W}))
    assert [name for name, _ in layers_of(converted.model)] == ["y/beta", "y/product", "y"]
    assert_agrees(converted)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("t = Softmax(x) y = MatMul(x, t)", "its right side depends on the model's inputs: got MatMul"),
        ("y = MatMul(W, x)", "export x W, with the constant on the right"),
        ("y = Gemm<transA = 1>(x, W, b)", "it multiplies columns of the batch: got Gemm: transA=1"),
        ("y = MatMul(x, b)", "the shape of its weights: got MatMul: [8], expected [inputs, units]"),
    ],
)
def test_other_products_are_refused_by_name(body: str, problem: str) -> None:
    with pytest.raises(UnsupportedError, match="^y: ") as caught:
        from_onnx(onnx_model(body, {"W": W, "b": B}))
    assert problem in caught.value.message
