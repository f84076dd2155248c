"""What a model with several inputs, or one of row numbers, takes; and how it says no."""

from typing import Any

import numpy as np
import pytest

from numbatch.engine import LoadedModel, load_model
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.graph import GraphWriter
from numbatch.wire.reasons import Reason

TABLE = np.arange(10, dtype=np.float32).reshape(5, 2)


def ranking() -> Model:
    """Two inputs: x of one feature, and the numbers of three words, summed."""
    graph = GraphWriter("ranking")
    x, words = graph.input("x", [1]), graph.input("words", [3], integer=True)
    wide = graph.dense(x, [[1.0, 10.0]], name="wide")
    return graph.model([graph.add([wide, graph.embedding(words, TABLE, pooling="sum", name="sum")], name="score")])


@pytest.fixture(scope="module")
def model() -> LoadedModel:
    return load_model(ranking())


@pytest.fixture(scope="module")
def words() -> LoadedModel:
    graph = GraphWriter("words")
    return load_model(graph.model([graph.embedding(graph.input("ids", [2], integer=True), TABLE, name="rows")]))


def test_inputs_go_by_their_names_in_any_order(model: LoadedModel) -> None:
    x, ids = [[1.0], [2.0]], [[0, 0, 0], [4, 1, 0]]
    expected = [[1, 13], [2 + 8 + 2, 20 + 9 + 3 + 1]]
    assert model.infer({"x": x, "words": ids}).tolist() == expected
    assert model.infer({"words": ids, "x": x}).tolist() == expected


def test_any_batch_axes_before_both(model: LoadedModel) -> None:
    assert model.infer({"x": [3.0], "words": [0, 0, 1]}).tolist() == [5, 35]
    assert model.infer({"x": np.ones((2, 4, 1)), "words": np.zeros((2, 4, 3), int)}).shape == (2, 4, 2)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_row_numbers_of_any_integer_type(words: LoadedModel, dtype: Any) -> None:
    assert words.infer(np.array([[4, 0]], dtype)).tolist() == [[[8, 9], [0, 1]]]


def test_row_numbers_that_a_float32_does_not_have() -> None:
    """2^24 + 1 is none: were it rounded on the way, its neighbour's row would come."""
    graph = GraphWriter("many")
    table = np.zeros((2**24 + 2, 1), np.float32)
    table[2**24 + 1] = 7
    model = load_model(graph.model([graph.embedding(graph.input("ids", [1], integer=True), table)]))
    assert model.infer([2**24 + 1]).tolist() == [[7]]


def test_integers_for_a_float_input_are_rounded_to_it(model: LoadedModel) -> None:
    assert model.infer({"x": [2**24 + 1], "words": [0, 0, 0]}).tolist() == [2**24, 10 * 2**24]


def test_a_sum_without_the_padding() -> None:
    graph = GraphWriter("padded")
    ids = graph.input("ids", [3], integer=True)
    mean = graph.embedding(ids, TABLE, pooling="mean", padding_id=0, name="mean")
    total = graph.embedding(ids, TABLE, pooling="sum", padding_id=0, name="sum")
    model = load_model(graph.model([mean, total]))
    got = model.infer([[0, 1, 2], [0, 0, 0]], layers=["mean", "sum"])
    assert got["mean"].tolist() == [[3, 4], [0, 0]]
    assert got["sum"].tolist() == [[6, 8], [0, 0]]


GOOD = {"x": np.zeros((2, 1), np.float32), "words": np.zeros((2, 3), np.int32)}


@pytest.mark.parametrize(
    ("changed", "reason", "text"),
    [
        (
            {"x": None, "words": None, "": GOOD["x"]},
            Reason.MISSING_INPUT,
            "inputs: got an array without a name, expected a mapping with arrays for 'x', 'words'",
        ),
        ({"x": None}, Reason.MISSING_INPUT, "inputs: got 'words', expected 'x', 'words'"),
        (
            {"y": GOOD["x"]},
            Reason.UNKNOWN_INPUT,
            "inputs[2].name: no such input: got 'y', expected one of 'x', 'words'",
        ),
        (
            {"words": np.zeros((3, 3), np.int32)},
            Reason.SHAPE_MISMATCH,
            "batch axes [3], expected the batch axes of 'x'",
        ),
        (
            {"words": np.zeros((2, 4), np.int32)},
            Reason.SHAPE_MISMATCH,
            "inputs[1].shape: got [2, 4], expected [..., 3]",
        ),
        ({"x": np.zeros((0, 1), np.float32)}, Reason.EMPTY_BATCH, "inputs[0].shape: no rows"),
        (
            {"words": np.zeros((2, 3), np.float32)},
            Reason.DATA_TYPE_MISMATCH,
            "inputs[1].data_type: got float32, expected int32 or int64: row numbers of a lookup table",
        ),
        ({"x": np.zeros((2, 1), np.float64)}, Reason.DATA_TYPE_MISMATCH, "inputs[0].data_type: got float64"),
        (
            {"words": np.array([[0, 1, 2], [0, 5, 0]])},
            Reason.INDEX_OUT_OF_RANGE,
            "inputs[1].data[1, 1]: row number of input 'words': got 5, expected 0 to 4",
        ),
        ({"words": np.full((2, 3), -1)}, Reason.INDEX_OUT_OF_RANGE, "got -1, expected 0 to 4"),
        ({"words": np.full((2, 3), 2**32)}, Reason.INDEX_OUT_OF_RANGE, "got 4294967296"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(
    model: LoadedModel, changed: dict[str, Any], reason: Reason, text: str
) -> None:
    inputs = {name: array for name, array in {**GOOD, **changed}.items() if array is not None}
    with pytest.raises(InvalidArgumentError) as caught:
        model.run(inputs)
    assert caught.value.reason is reason
    assert text in caught.value.message


def test_a_number_in_two_tables_is_checked_against_the_smaller() -> None:
    graph = GraphWriter("two")
    ids = graph.input("ids", [1], integer=True)
    model = load_model(graph.model([graph.add([graph.embedding(ids, TABLE), graph.embedding(ids, TABLE[:3])])]))
    with pytest.raises(InvalidArgumentError, match="got 3, expected 0 to 2"):
        model.infer([3])


def test_columns_of_an_input_have_tables_of_their_own() -> None:
    graph = GraphWriter("columns")
    ids = graph.input("ids", [3], integer=True)
    small, large = (
        graph.embedding(ids, table, start=start, stop=stop, pooling="sum")
        for table, start, stop in [(TABLE[:2], 0, 1), (TABLE, 1, 3)]
    )
    model = load_model(graph.model([graph.add([small, large])]))
    assert model.infer([[1, 4, 4]]).tolist() == [[2 + 8 + 8, 3 + 9 + 9]]
    with pytest.raises(InvalidArgumentError, match=r"data\[0, 0\]: row number of input 'ids': got 2, expected 0 to 1"):
        model.infer([[2, 4, 4]])
    with pytest.raises(InvalidArgumentError, match=r"data\[0, 2\]: row number of input 'ids': got 5, expected 0 to 4"):
        model.run({"ids": np.array([[0, 0, 5]])})


def test_the_summary_says_of_which_type_an_input_is(model: LoadedModel) -> None:
    assert [(spec.name, spec.data_type) for spec in model.summary.inputs] == [("x", "float32"), ("words", "int32")]
    assert {layer.name: layer.parameter_count for layer in model.summary.layers} == {"wide": 2, "sum": 10, "score": 0}
