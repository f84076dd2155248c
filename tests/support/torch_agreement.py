"""Whether a converted network computes what PyTorch does."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from numbatch.convert.converted import Converted
from numbatch.engine import load_model
from numbatch.v1.model_pb2 import Model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from support import numpy_model

# Of the largest element of an output: both sides sum some dozen products of float32 in orders of their own, through a
# few layers; a wrong weight, axis or function is thousands of times farther away.
ULP = 32
_EPSILON = float(np.finfo(np.float32).eps)


def random_inputs(model: Model, rows: int = 7, seed: int = 0, vocabulary: int = 3) -> dict[str, Any]:
    """Rows for every input: normal numbers, or row numbers of tables of at least so many rows."""
    rng = np.random.default_rng(seed)
    return {
        spec.name: rng.integers(0, vocabulary, (rows, *spec.shape)).astype(np.int32)
        if spec.data_type == DATA_TYPE_INT32
        else rng.normal(size=(rows, *spec.shape)).astype(np.float32)
        for spec in model.inputs
    }


def distance(outputs: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """The largest difference, in ulp of the largest element of its output."""
    farthest = 0.0
    for name, there in expected.items():
        assert outputs[name].shape == there.shape, name
        farthest = max(farthest, float(np.abs(outputs[name] - there).max() / (_EPSILON * np.abs(there).max())))
    return farthest


def assert_agrees(converted: Converted, *, vocabulary: int = 3) -> None:
    """By NumPy in float64, which shows wrong conversions, and as it is served."""
    inputs = random_inputs(converted.model, vocabulary=vocabulary)
    assert converted.reference is not None
    expected = converted.reference(inputs)
    assert list(expected) == list(converted.model.outputs)
    assert distance(numpy_model.run(converted.model, inputs), expected) <= ULP
    assert distance(dict(load_model(converted.model).run(inputs)), expected) <= ULP
