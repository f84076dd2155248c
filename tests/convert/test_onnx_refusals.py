"""What is not served, said with the node's name, its type and what could be done."""

import numpy as np
import pytest

from numbatch.convert import from_onnx
from numbatch.wire.errors import UnsupportedError
from support.onnx_models import assert_agrees, drawn, onnx_model

CONSTANTS = {
    "scale": 0.1,
    "zero": np.array(0, np.uint8),
    "w8": np.ones((8, 8), np.uint8),
    "w": drawn(1, 8, 8),
    "kernel": drawn(2, 4, 8, 3),
}


@pytest.mark.parametrize(
    ("body", "name", "problem"),
    [
        (
            "q = QuantizeLinear(x, scale, zero) y = DequantizeLinear(q, scale, zero)",
            "q",
            "got QuantizeLinear, expected float32",
        ),
        ("d = DequantizeLinear(w8, scale, zero) y = MatMul(x, d)", "d", "quantised arithmetic is not served"),
        (
            "q, s, z = DynamicQuantizeLinear(x) i = MatMulInteger(q, w8, z) y = Cast<to = 1>(i)",
            "q",
            "quantised arithmetic",
        ),
        ("y = Conv(x, kernel)", "y", "convolutions are not served: got Conv"),
        ("y = Abs(x)", "y", "no layer does this: got Abs, expected an operator of dense networks"),
        (
            "y = ai.onnx.ml.Normalizer(x)",
            "y",
            "it is not dense algebra: got ai.onnx.ml.Normalizer; do this step before",
        ),
        ("y = Dropout(x, scale, yes)", "y", "it drops out at inference: got Dropout; export with training_mode=False"),
        ("t = Tanh(x) y = com.microsoft.BiasGelu(t, scale)", "y", "got com.microsoft.BiasGelu"),
    ],
)
def test_operators(body: str, name: str, problem: str) -> None:
    with pytest.raises(UnsupportedError, match=f"^{name}: .*LAYER_UNSUPPORTED") as caught:
        from_onnx(onnx_model(body, {**CONSTANTS, "yes": np.array(True)}))
    assert problem in caught.value.message
    assert caught.value.field == name


@pytest.mark.parametrize(
    ("inputs", "problem"),
    [
        (
            "float[N,M] x",
            "x: axes of unknown length: got [N, M], expected known lengths of all but the batch; fix them",
        ),
        ("float[N] x", "x: its shape: got [batch], expected [batch, ...]"),
        ("float x", "x: its shape: got [], expected [batch, ...]"),
        ("bool[N,8] x", "x: inputs of this type are not served: got bool, expected float32, or integers"),
        ("string[N,8] x", "got string"),
    ],
)
def test_inputs(inputs: str, problem: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        from_onnx(onnx_model("f = Cast<to = 1>(x) y = Tanh(f)", inputs=inputs))
    assert problem in caught.value.message


def test_a_graph_without_an_output_of_floats() -> None:
    with pytest.raises(UnsupportedError, match="graph.output: no output of floats: got y"):
        from_onnx(onnx_model("y = ArgMax(x)", outputs="int64[N,1] y"))


def test_outputs_that_are_no_floats_are_left_out_with_a_note() -> None:
    model = onnx_model("y = Softmax(x) label = ArgMax(y)", outputs="int64[N,1] label, float[N,8] y")
    converted = from_onnx(model)
    assert list(converted.model.outputs) == ["y"]
    assert converted.notes == ("Output 'label' is left out: it is no array of floats.",)
    assert_agrees(converted)


def test_what_no_output_needs_is_not_looked_at() -> None:
    model = onnx_model("y = Tanh(x) unused = Abs(z)", inputs="float[N,8] x, float[N,M] z")
    converted = from_onnx(model)
    assert converted.notes == ("Input 'z' is left out: no output depends on it.",)
    assert_agrees(converted)


def test_other_floats_are_served_as_float32() -> None:
    model = onnx_model(
        "y = MatMul(x, w)", {"w": drawn(1, 8, 8).astype(np.float64)}, inputs="double[N,8] x", outputs="double[N,8] y"
    )
    converted = from_onnx(model)
    assert converted.notes == ("Input 'x' is float32 instead of double, and everything is computed in float32.",)
    assert_agrees(converted)
