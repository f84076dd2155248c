"""Fitted estimators, and whether what is read of them computes the same."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from numbatch.convert.converted import Converted
from numbatch.engine import load_model
from numbatch.v1.model_pb2 import Model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from support.onnx_models import assert_same

# The original computes in float64; ours in float32: each layer rounds its sums, and so the output by a few units in the
# last place of the largest element.
MOST_ULPS = 16


def data() -> tuple[Any, Any, Any, Any, Any]:
    """60 rows of 4 features, and of each: one of three words, one of two numbers, two labels, two targets."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((60, 4)) * [1, 2, 3, 0.5] + [0, 1, -1, 2]
    score = x @ rng.standard_normal((4, 3))
    score -= np.median(score, axis=0)
    words = np.array(["a", "b", "c"])[score.argmax(1)]
    return x, words, (score[:, 0] > 0).astype(int), (score[:, :2] > 0).astype(int), score[:, :2]


def fitted(estimator: Any, x: Any, y: Any = None) -> Any:
    """The estimator, fitted; that it might be better with more iterations does not matter."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(x, y)


def vocabularies(model: Model) -> dict[str, int]:
    """How many rows the table has that an integer input is looked up in."""
    return {layer.inputs[0]: layer.embedding.vocabulary_size for layer in model.layers if layer.HasField("embedding")}


def inputs_of(model: Model, rows: int = 21) -> dict[str, Any]:
    """Numbers of the size of those fitted to, and numbers of every category."""
    sizes, rng = vocabularies(model), np.random.default_rng(rows)
    return {
        spec.name: np.arange(rows, dtype=np.int32)[:, None] % sizes[spec.name]
        if spec.data_type == DATA_TYPE_INT32
        else (2 * rng.standard_normal((rows, *spec.shape)) + 1).astype(np.float32)
        for spec in model.inputs
    }


def assert_agrees(
    converted: Converted,
    *,
    columns: int = 0,
    layer: str = "",
    rows: Any = None,
    expected: Callable[[Any], Any] | None = None,
) -> None:
    """The output, of so many columns, is what the estimator computes; or a layer is what a function of the rows is."""
    arrays = inputs_of(converted.model) if rows is None else {"input": rows.astype(np.float32)}
    name = layer or converted.model.outputs[0]
    got = load_model(converted.model).infer(arrays, layers=[name])
    if expected is not None:
        assert_same(got, {name: expected(arrays["input"].astype(np.float64))}, MOST_ULPS)
        return
    assert converted.reference is not None
    assert_same(got, converted.reference(arrays), MOST_ULPS)
    if columns:
        assert got[name].shape[1:] == (columns,)
