"""Small ONNX models, written in ONNX' own text form, and whether what is read of them computes the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import onnx.parser
from onnx import numpy_helper

from numbatch.convert.converted import Converted
from numbatch.engine import load_model
from numbatch.v1.model_pb2 import Model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32

# Both sides sum in float32, in other orders and with other approximations of exp and erf: a few units in the last place
# of the largest element.
MOST_ULPS = 16

_IR_VERSIONS = {9: 4, 11: 6, 12: 7, 13: 7, 15: 8, 17: 8, 18: 8, 20: 9, 24: 11}


def onnx_model(
    body: str,
    constants: Mapping[str, Any] | None = None,
    *,
    inputs: str = "float[N,8] x",
    outputs: str = "float[N,8] y",
    opset: int = 18,
) -> onnx.ModelProto:
    """A graph of these nodes; constants that are no arrays yet become float32."""
    head = f'<ir_version: {_IR_VERSIONS[opset]}, opset_import: ["": {opset}, "ai.onnx.ml": 3, "com.microsoft": 1]>'
    model = onnx.parser.parse_model(f"{head} net ({inputs}) => ({outputs}) {{ {body} }}")
    for name, value in (constants or {}).items():
        array = value if isinstance(value, np.ndarray) else np.array(value, np.float32)
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return model


def drawn(seed: int, *shape: int) -> Any:
    """Normal float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def inputs_of(model: Model, rows: int = 7, *, vocabulary: int = 5) -> dict[str, Any]:
    """Normal numbers, and row numbers below a vocabulary's size, for a model's inputs."""
    rng = np.random.default_rng(rows)
    return {
        spec.name: rng.integers(0, vocabulary, (rows, *spec.shape)).astype(np.int32)
        if spec.data_type == DATA_TYPE_INT32
        else (2 * rng.standard_normal((rows, *spec.shape))).astype(np.float32)
        for spec in model.inputs
    }


def run(model: Model, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """The model's outputs by name, from the engine."""
    return load_model(model).infer(arrays, layers=list(model.outputs))


def assert_same(got: Mapping[str, Any], expected: Mapping[str, Any], ulps: float = MOST_ULPS) -> None:
    """Arrays of the same names and shapes, which differ by no more than so many ulps of the largest element."""
    assert {name: each.shape for name, each in got.items()} == {name: each.shape for name, each in expected.items()}
    for name, each in expected.items():
        allowed = ulps * np.spacing(np.float32(np.abs(each).max()))
        assert np.abs(got[name] - each).max() <= allowed, name


def assert_agrees(converted: Converted, rows: int = 7) -> None:
    """What was read computes what ONNX Runtime does with the original."""
    assert converted.reference is not None
    arrays = inputs_of(converted.model, rows)
    assert_same(run(converted.model, arrays), converted.reference(arrays))


def layers_of(model: Model) -> list[tuple[str, str]]:
    """The names and kinds of a model's layers."""
    return [(layer.name, layer.WhichOneof("kind") or "") for layer in model.layers]
