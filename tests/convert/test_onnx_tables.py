"""Lookups: integers that are row numbers of constant tables."""

from typing import Any

import numpy as np
import pytest

from numbatch.convert import from_onnx
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, DATA_TYPE_INT32
from numbatch.wire.errors import UnsupportedError
from support.onnx_models import assert_agrees, assert_same, drawn, layers_of, onnx_model, run

IDS: dict[str, Any] = {"inputs": "int64[N,4] ids"}
CONSTANTS = {
    "table": drawn(1, 5, 3),
    "axis_1": np.array([1]),
    "depth": np.array(5),
    "values": np.array([-1, 2], np.float32),
    "w": drawn(2, 3, 2),
}


def test_a_lookup_takes_row_numbers() -> None:
    converted = from_onnx(onnx_model("y = Gather(table, ids)", CONSTANTS, outputs="float[N,4,3] y", **IDS))
    assert layers_of(converted.model) == [("y", "embedding")]
    assert [(spec.name, spec.data_type) for spec in converted.model.inputs] == [("ids", DATA_TYPE_INT32)]
    assert_agrees(converted)


@pytest.mark.parametrize(
    ("body", "opset"),
    [
        ("r = Gather(table, ids) y = ReduceMean<axes = [1], keepdims = 0>(r)", 13),
        ("r = Gather(table, ids) y = ReduceSum<axes = [-2], keepdims = 0>(r)", 11),
        ("r = Gather(table, ids) y = ReduceMean<keepdims = 0>(r, axis_1)", 18),
        ("r = Gather(table, ids) y = ReduceSum<keepdims = 0>(r, axis_1)", 18),
    ],
)
def test_a_lookup_and_the_sum_or_mean_of_the_rows_are_one_layer(body: str, opset: int) -> None:
    converted = from_onnx(onnx_model(body, CONSTANTS, outputs="float[N,3] y", opset=opset, **IDS))
    assert layers_of(converted.model) == [("y", "embedding")]
    assert_agrees(converted)


def test_a_mean_that_keeps_its_axis() -> None:
    body = "r = Gather(table, ids) y = ReduceMean(r, axis_1)"
    assert_agrees(from_onnx(onnx_model(body, CONSTANTS, outputs="float[N,1,3] y", **IDS)))


def test_row_numbers_may_be_cast_and_take_other_axes_before_the_lookup() -> None:
    body = "c = Cast<to = 6>(ids) s = Squeeze(c, axis_1) r = Gather(table, s) y = MatMul(r, w)"
    model = onnx_model(body, CONSTANTS, inputs="int64[N,1] ids", outputs="float[N,2] y")
    converted = from_onnx(model)
    assert layers_of(converted.model) == [("r", "embedding"), ("y", "dense")]
    assert_agrees(converted)


@pytest.mark.parametrize(
    "body",
    [
        "c = Gather<axis = 1>(ids, two) y = Gather(table, c)",
        "c = Slice(ids, axis_1, three, axis_1) r = Gather(table, c) y = ReduceMean<keepdims = 0>(r, axis_1)",
        "a, c = Split<axis = 1, num_outputs = 2>(ids) r = Gather(table, c) y = ReduceSum<keepdims = 0>(r, axis_1)",
    ],
)
def test_some_of_the_numbers_of_an_input(body: str) -> None:
    constants = {**CONSTANTS, "two": np.array(2), "three": np.array([3])}
    converted = from_onnx(onnx_model(body, constants, outputs="float[N,3] y", **IDS))
    assert [list(spec.shape) for spec in converted.model.inputs] == [[4]]
    assert_agrees(converted)


def test_one_hot_is_a_lookup_in_an_identity_table() -> None:
    converted = from_onnx(onnx_model("y = OneHot(ids, depth, values)", CONSTANTS, outputs="float[N,4,5] y", **IDS))
    assert layers_of(converted.model) == [("y", "embedding")]
    assert_agrees(converted)


def test_integers_that_are_only_cast_to_floats_are_floats() -> None:
    body = "f = Cast<to = 1>(ids) y = Exp(f)"
    converted = from_onnx(onnx_model(body, outputs="float[N,4] y", **IDS))
    assert [spec.data_type for spec in converted.model.inputs] == [DATA_TYPE_FLOAT32]
    arrays = {"ids": np.arange(-4, 4).reshape(2, 4)}
    assert converted.reference is not None
    assert_same(run(converted.model, arrays), converted.reference(arrays))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("i = Add(ids, ids) y = Gather(table, i)", "it computes with integers"),
        ("f = Cast<to = 1>(ids) g = Tanh(f) i = Cast<to = 7>(g) y = Gather(table, i)", "it rounds floats to integers"),
        ("y = Gather<axis = 1>(table, ids)", "it looks up columns of a table: got Gather: axis 1"),
        (
            "f = Cast<to = 1>(ids) r = Gather(table, ids) y = MatMul(r, f)",
            "ids: integers that are row numbers and cast to floats, too: got both",
        ),
    ],
)
def test_integers_are_row_numbers_and_nothing_else(body: str, problem: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        from_onnx(onnx_model(body, CONSTANTS, outputs="float[N,4,3] y", **IDS))
    assert problem in caught.value.message
