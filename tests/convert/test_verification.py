"""`verify`: whether a converted model computes what the original computes, and how far it may be from it."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from numbatch.convert import Converted, verify
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import NumbatchError
from numbatch.wire.graph import GraphWriter
from numbatch.wire.models import array_of, weights_of
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array
from support import numpy_model
from support.towers import tower

RNG = np.random.default_rng(3)


def perceptron(features: int = 64, units: int = 32) -> Model:
    graph = GraphWriter("perceptron")
    x = graph.input("x", [features])
    h = graph.dense(x, kernel(features, units), RNG.standard_normal(units), "gelu_erf", name="hidden")
    return graph.model([graph.dense(h, kernel(units, 5), name="scores")])


def kernel(features: int, units: int) -> Float32Array:
    return (RNG.standard_normal((features, units)) / math.sqrt(features)).astype(np.float32)


def converted(model: Model, **changes: Any) -> Converted:
    """What a reader returns; its original computes in float64, and then adds `changes` to an output's first element."""

    def reference(inputs: Mapping[str, Any]) -> dict[str, Any]:
        layers = numpy_model.run(model, inputs)
        outputs = {name: layers[name].astype(np.float32) for name in model.outputs}
        for name, change in changes.items():
            outputs[name][0, 0] += np.float32(change)
        return outputs

    return Converted(model, reference)


def test_the_same_network_passes() -> None:
    found = verify(converted(perceptron()))
    (check,) = found.checks
    (scores,) = check.outputs
    assert (found.passed, check.given, check.rows) == (True, False, 512)
    assert (scores.name, scores.shape, scores.not_finite_alone) == ("scores", (5,), 0)
    assert 0 < scores.max_ulp_of_largest < 16
    assert scores.max_ulp >= scores.max_ulp_of_largest
    assert scores.same_largest is not None
    assert scores.same_largest > 0.99


@pytest.mark.parametrize(("features", "units"), [(1, 1), (7, 300), (2000, 40)])
def test_networks_of_other_sizes_pass_by_a_margin(features: int, units: int) -> None:
    found = verify(converted(perceptron(features, units)))
    assert found.worst.relative < found.worst.tolerance / 4


def test_another_formula_fails() -> None:
    model = perceptron()
    by_tanh = Model()
    by_tanh.CopyFrom(model)
    by_tanh.layers[0].dense.activation.function += 1  # type: ignore[assignment]
    found = verify(Converted(by_tanh, converted(model).reference))
    assert not found.passed
    assert found.worst.relative > 2 * found.worst.tolerance


@pytest.mark.parametrize("change", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_in_one_alone_fails(change: float) -> None:
    found = verify(converted(perceptron(), scores=change))
    (scores,) = found.checks[0].outputs
    assert not found.passed
    assert (scores.not_finite_alone, scores.max_abs) == (2, math.inf)  # a row of each of two minibatches


def test_nan_in_both_is_the_same() -> None:
    graph = GraphWriter("sum")
    x = graph.input("x", [2])
    model = graph.model([graph.dense(x, np.ones((2, 2)), name="y")])
    found = verify(converted(model), np.array([[math.nan, 1], [1, 2]]), rows=0)
    assert found.passed
    assert found.checks[0].outputs[0].max_abs == 0


def test_a_tolerance_may_be_given() -> None:
    wrong = converted(perceptron(), scores=1.0)
    assert not verify(wrong).passed
    assert verify(wrong, tolerance=1.0).passed


def test_given_rows_are_compared_beside_random_ones() -> None:
    found = verify(converted(perceptron()), {"x": RNG.standard_normal((300, 64))}, rows=10)
    assert [(check.given, check.rows) for check in found.checks] == [(False, 10), (True, 300)]
    assert found.passed


def test_random_rows_are_those_of_their_seed() -> None:
    same = converted(perceptron())
    assert verify(same, seed=1) == verify(same, seed=1) != verify(same, seed=2)


@pytest.mark.parametrize(
    ("inputs", "reason", "message"),
    [
        ({"y": [[1.0] * 64]}, Reason.UNKNOWN_INPUT, "inputs: got 'y', expected x"),
        ({}, Reason.MISSING_INPUT, "expected 'x'"),
        ([[1.0] * 63], Reason.SHAPE_MISMATCH, "x: got [1, 63], expected [rows, 64]"),
        (np.zeros((0, 64)), Reason.SHAPE_MISMATCH, "rows: got x 0, expected as many of each, 1 or more"),
        ([["a"] * 64], Reason.DATA_TYPE_MISMATCH, "x: got dtype <U1"),
    ],
)
def test_rows_that_do_not_fit_are_refused(inputs: Any, reason: Reason, message: str) -> None:
    with pytest.raises(NumbatchError) as refused:
        verify(converted(perceptron()), inputs)
    assert refused.value.reason == reason
    assert message in refused.value.message


def test_without_an_original_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(NumbatchError, match="nothing to compare with: expected the framework of the original"):
        verify(Converted(perceptron()))


def test_an_original_that_fails_says_how() -> None:
    def fails(_: Any) -> dict[str, Any]:
        raise RuntimeError("expected batches of 8")

    with pytest.raises(
        NumbatchError, match="the original fails on 256 rows: RuntimeError: expected batches of 8; give"
    ):
        verify(Converted(perceptron(), fails))


def test_outputs_of_another_shape_are_a_mistake_of_the_reader() -> None:
    model = perceptron()
    with pytest.raises(NumbatchError, match=r"scores: of the original's output: got \[256\]"):
        verify(Converted(model, lambda inputs: {"scores": np.zeros(len(inputs["x"]))}))


def test_several_inputs_row_numbers_and_several_outputs_pass() -> None:
    rows: dict[str, Any] = {"x": RNG.standard_normal((5, 8)), "user": [[3]] * 5, "words": np.zeros((5, 6), np.uint8)}
    found = verify(converted(tower()), rows)
    assert found.passed
    assert [[output.name for output in check.outputs] for check in found.checks] == [["score", "kind"]] * 2
    assert found.checks[0].outputs[0].same_largest is None


@pytest.mark.parametrize(
    ("user", "reason", "message"),
    [
        ([[0.5]], Reason.DATA_TYPE_MISMATCH, "user: got dtype float64, expected integers"),
        ([[50]], Reason.INDEX_OUT_OF_RANGE, "50"),
        ([[2**40]], Reason.INDEX_OUT_OF_RANGE, "1099511627776"),
    ],
)
def test_row_numbers_that_no_table_has_are_refused(user: Any, reason: Reason, message: str) -> None:
    rows = {"x": np.zeros((1, 8)), "user": user, "words": np.zeros((1, 6), np.int32)}
    with pytest.raises(NumbatchError, match=message) as refused:
        verify(converted(tower()), rows)
    assert refused.value.reason == reason


def test_another_table_fails() -> None:
    model = tower()
    other = Model()
    other.CopyFrom(model)
    other.layers[0].embedding.table.CopyFrom(weights_of(array_of(model.layers[0].embedding.table)[::-1]))
    assert not verify(Converted(other, converted(model).reference)).passed
