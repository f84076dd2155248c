"""Axes, and columns: whatever keeps the examples apart."""

from typing import Any

import numpy as np
import pytest

from numbatch.convert import from_onnx
from numbatch.wire.errors import UnsupportedError
from support.onnx_models import assert_agrees, drawn, inputs_of, layers_of, onnx_model

RANK_3: dict[str, Any] = {"inputs": "float[N,3,8] x", "outputs": "float[N,M] y"}


def integers(*values: int) -> Any:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("y = Reshape(x, shape)", [0, 24]),
        ("y = Reshape(x, shape)", [-1, 24]),
        ("y = Reshape(x, shape)", [0, -1]),
        ("t = Reshape(x, shape) y = Flatten(t)", [0, 6, -1]),
        ("y = Flatten(x)", []),
        ("y = Flatten<axis = -2>(x)", []),
    ],
)
def test_the_batch_keeps_its_place(body: str, shape: list[int]) -> None:
    assert_agrees(from_onnx(onnx_model(body, {"shape": integers(*shape)}, **RANK_3)))


def test_a_shape_that_is_computed_from_the_inputs_own() -> None:
    body = """
        s = Shape(x) n = Gather<axis = 0>(s, zero) u = Unsqueeze(n, zeros) t = Concat<axis = 0>(u, rest)
        y = Reshape(x, t)
    """
    constants = {"zero": np.array(0), "zeros": integers(0), "rest": integers(24)}
    converted = from_onnx(onnx_model(body, constants, **RANK_3))
    assert layers_of(converted.model) == [("y", "flatten")]
    assert_agrees(converted)


def test_axes_of_length_1_come_and_go() -> None:
    body = "a = Unsqueeze(x, axes) t = Tanh(a) b = Squeeze(t, axes) y = Flatten(b)"
    assert_agrees(from_onnx(onnx_model(body, {"axes": integers(1, 3)}, **RANK_3)))
    body = "a = Unsqueeze<axes = [1, 3]>(x) t = Tanh(a) b = Squeeze<axes = [1, 3]>(t) y = Flatten(b)"
    assert_agrees(from_onnx(onnx_model(body, opset=11, **RANK_3)))


def test_a_new_shape_that_is_the_old_one_is_left_out() -> None:
    converted = from_onnx(onnx_model("h = Tanh(x) s = Flatten(h) d = Dropout(s) y = Exp(d)"))
    assert layers_of(converted.model) == [("h", "activation"), ("y", "activation")]
    assert converted.notes == ("Left out, because they change nothing: s, d.",)


def test_an_output_that_is_a_copy_is_a_layer_of_its_name() -> None:
    converted = from_onnx(onnx_model("h = Tanh(x) y = Identity(h)"))
    assert [layer.name for layer in converted.model.layers] == ["h", "y"]
    assert list(converted.model.outputs) == ["y"]
    assert_agrees(converted)


def test_an_output_without_an_axis_keeps_one() -> None:
    body = "h = MatMul(x, w) y = Squeeze(h, axes)"
    model = onnx_model(body, {"w": drawn(1, 8, 1), "axes": integers(1)}, outputs="float[N] y")
    converted = from_onnx(model)
    assert converted.notes == ("Output 'y' keeps an axis of length 1 after the batch.",)
    assert converted.reference is not None
    assert converted.reference(inputs_of(converted.model))["y"].shape == (7, 1)
    assert_agrees(converted)


@pytest.mark.parametrize("body", ["y = Concat<axis = 1>(x, t, x)", "y = Concat<axis = -1>(t, x)"])
def test_arrays_side_by_side(body: str) -> None:
    assert_agrees(from_onnx(onnx_model(f"t = Tanh(x) {body}", outputs="float[N,M] y")))


@pytest.mark.parametrize(
    "body",
    [
        "y = Gather<axis = 1>(x, columns)",
        "y = ai.onnx.ml.ArrayFeatureExtractor(x, columns)",
        "y = Slice(x, one, six, one)",
        "y = Slice(x, minus, none, one, minus)",
        "a, b = Split<axis = 1>(x, parts) t = Tanh(a) y = Concat<axis = 1>(b, t)",
        "y = ReduceSum(x, one)",
        "y = ReduceMean(x, one)",
    ],
)
def test_columns_and_sums_of_them(body: str) -> None:
    constants = {
        "columns": integers(5, 0, 7),
        "one": integers(1),
        "six": integers(6),
        "minus": integers(-1),
        "none": integers(-(2**63)),
        "parts": integers(3, 5),
    }
    assert_agrees(from_onnx(onnx_model(body, constants, outputs="float[N,M] y")))


def test_columns_side_by_side_are_a_slice() -> None:
    converted = from_onnx(
        onnx_model(
            "y = Slice(x, from, to, axes)",
            {"from": integers(2), "to": integers(-1), "axes": integers(1)},
            outputs="float[N,5] y",
        )
    )
    assert layers_of(converted.model) == [("y", "slice")]
    assert_agrees(converted)


def test_an_array_taken_apart_in_every_version() -> None:
    body = "a, b = Split<axis = 1{more}>(x) y = Mul(a, b)"
    assert_agrees(from_onnx(onnx_model(body.format(more=", split = [4, 4]"), outputs="float[N,4] y", opset=11)))
    assert_agrees(from_onnx(onnx_model(body.format(more=""), outputs="float[N,4] y", opset=13)))
    assert_agrees(from_onnx(onnx_model(body.format(more=", num_outputs = 2"), outputs="float[N,4] y", opset=18)))


def test_a_graph_that_is_fixed_to_a_batch_takes_any() -> None:
    body = "h = Reshape(x, shape) y = MatMul(h, w)"
    constants = {"shape": integers(2, 24), "w": drawn(1, 24, 3)}
    model = onnx_model(body, constants, inputs="float[2,3,8] x", outputs="float[2,3] y")
    converted = from_onnx(model)
    assert converted.notes == ("The graph is fixed to batches of 2; the model takes any.",)
    assert_agrees(converted, rows=7)


@pytest.mark.parametrize(
    ("body", "shape", "problem"),
    [
        ("y = Reshape(x, shape)", [-1, 8], "a shape that mixes examples: got Reshape: [..., 3, 8] to [-1, 8]"),
        ("y = Reshape(x, shape)", [24, -1], "a shape that mixes examples"),
        ("y = Flatten<axis = 2>(x)", [], "the axes that it joins: got Flatten: axis 2"),
        ("y = Transpose<perm = [0, 2, 1]>(x)", [], "it moves elements: got Transpose: perm [0, 2, 1] of [..., 3, 8]"),
        ("y = Concat<axis = 1>(x, x)", [], "the axis that it joins: got Concat: axis 1 of 3, expected the last one"),
        ("y = Gather<axis = 1>(x, shape)", [0], "it chooses along this axis: got Gather: axis 1 of [..., 3, 8]"),
        ("y = ReduceMean(x, shape)", [1], "the axes that it sums over: got ReduceMean: axes [1] of [..., 3, 8]"),
        ("y = ReduceSum(x)", [], "the axes that it sums over: got ReduceSum: axes all"),
        ("s = Shape(x) t = Mul(s, s) y = Reshape(x, t)", [], "it computes with the number of examples"),
    ],
)
def test_what_moves_elements_between_rows_is_refused(body: str, shape: list[int], problem: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        from_onnx(onnx_model(body, {"shape": integers(*shape)}, **RANK_3))
    assert problem in caught.value.message
