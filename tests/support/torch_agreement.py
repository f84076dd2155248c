"""Whether a converted network computes what PyTorch does."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from numbatch.convert.converted import Converted
from numbatch.convert.random_rows import RandomRows, random_inputs
from numbatch.engine import load_model
from support import numpy_model

# Of the largest element of an output: both sides sum some dozen products of float32 in orders of their own, through a
# few layers; a wrong weight, axis or function is thousands of times farther away.
ULP = 32
_EPSILON = float(np.finfo(np.float32).eps)


def distance(outputs: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """The largest difference, in ulp of the largest element of its output."""
    farthest = 0.0
    for name, there in expected.items():
        assert outputs[name].shape == there.shape, name
        farthest = max(farthest, float(np.abs(outputs[name] - there).max() / (_EPSILON * np.abs(there).max())))
    return farthest


def assert_agrees(converted: Converted, *, rows: int = 7) -> None:
    """By NumPy in float64, which shows wrong conversions, and as it is served."""
    (inputs,) = RandomRows(random_inputs(converted.model), rows, seed=0).minibatches(rows)
    assert converted.reference is not None
    expected = converted.reference(inputs)
    assert list(expected) == list(converted.model.outputs)
    assert distance(numpy_model.run(converted.model, inputs), expected) <= ULP
    assert distance(dict(load_model(converted.model).run(inputs)), expected) <= ULP
