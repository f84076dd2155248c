"""BatchNormalization, LayerNormalization, and the latter written out."""

from typing import Any

import pytest

from numbatch.convert import from_onnx
from numbatch.wire.errors import UnsupportedError
from support.onnx_models import assert_agrees, drawn, layers_of, onnx_model

GAMMA, BETA, MEAN, VARIANCE = drawn(1, 8), drawn(2, 8), drawn(3, 8), abs(drawn(4, 8)) + 0.1
RANK_3: dict[str, Any] = {"inputs": "float[N,3,8] x", "outputs": "float[N,3,8] y"}
NUMBERS = {"one": 1, "two": 2, "eps": 1e-5}
VECTORS = {"gamma": GAMMA, "beta": BETA, "mean": MEAN, "variance": VARIANCE}

MOMENTS = (
    "m = ReduceMean<axes = [-1]>(x) d = Sub(x, m) q = Pow(d, two) v = ReduceMean<axes = [-1]>(q) e = Add(v, eps) "
    "s = Sqrt(e) "
)
WRITTEN_OUT = {
    "as PyTorch": MOMENTS + "n = Div(d, s) g = Mul(n, gamma) y = Add(g, beta)",
    "without parameters": MOMENTS + "y = Div(d, s)",
    "as TensorFlow": MOMENTS + "r = Reciprocal(s) f = Mul(r, gamma) a = Mul(x, f) b = Mul(m, f) c = Sub(beta, b) "
    "y = Add(a, c)",
    "as Keras": MOMENTS + "r = Reciprocal(s) f = Mul(r, gamma) a = Mul(x, f) o = Neg(m) b = Mul(o, f) c = Add(b, beta) "
    "y = Add(a, c)",
}


@pytest.mark.parametrize("opset", [9, 13, 18])
def test_batch_normalization(opset: int) -> None:
    body = "y = BatchNormalization<epsilon = 0.01>(x, gamma, beta, mean, variance)"
    converted = from_onnx(onnx_model(body, VECTORS, opset=opset))
    assert layers_of(converted.model) == [("y", "batch_normalization")]
    assert_agrees(converted)


def test_batch_normalization_of_the_first_of_several_axes_is_spread_over_all_elements() -> None:
    ends: dict[str, Any] = {"inputs": "float[N,8,3] x", "outputs": "float[N,8,3] y"}
    converted = from_onnx(onnx_model("y = BatchNormalization(x, gamma, beta, mean, variance)", VECTORS, **ends))
    assert layers_of(converted.model) == [
        ("y/flat", "flatten"),
        ("y/elements", "batch_normalization"),
        ("y", "reshape"),
    ]
    assert_agrees(converted)


@pytest.mark.parametrize("node", ["LayerNormalization(x, gamma, beta)", "LayerNormalization<epsilon = 0.1>(x, gamma)"])
def test_layer_normalization(node: str) -> None:
    converted = from_onnx(onnx_model(f"y = {node}", VECTORS))
    assert layers_of(converted.model) == [("y", "layer_normalization")]
    assert_agrees(converted)


def test_layer_normalization_over_all_axes_of_an_example() -> None:
    constants = {"gamma": drawn(5, 3, 8), "beta": drawn(6, 3, 8)}
    assert_agrees(from_onnx(onnx_model("y = LayerNormalization<axis = 1>(x, gamma, beta)", constants, **RANK_3)))


@pytest.mark.parametrize("body", WRITTEN_OUT.values(), ids=WRITTEN_OUT.keys())
def test_a_layer_normalization_that_is_written_out_is_one_layer(body: str) -> None:
    converted = from_onnx(onnx_model(body, {**NUMBERS, **VECTORS}, opset=17, **RANK_3))
    assert layers_of(converted.model) == [("y", "layer_normalization")]
    assert_agrees(converted)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (
            "y = BatchNormalization<training_mode = 1>(x, gamma, beta, mean, variance)",
            "it computes its statistics of the batch",
        ),
        (
            "y = LayerNormalization<axis = 0>(x, gamma, beta)",
            "the axes that it normalises: got LayerNormalization: axis 0",
        ),
        (MOMENTS.replace("[-1]", "[0]") + "y = Div(d, s)", "a normalisation over other axes than the last one"),
    ],
)
def test_statistics_of_the_batch_are_refused(body: str, problem: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        from_onnx(onnx_model(body, {**NUMBERS, **VECTORS}, opset=17))
    assert problem in caught.value.message
