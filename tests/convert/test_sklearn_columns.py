"""Column transformers: numbers come as one array, categories as numbers of rows of tables."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

from numbatch.convert import from_sklearn
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, DATA_TYPE_INT32
from numbatch.wire.errors import UnsupportedError
from support.onnx_models import layers_of
from support.sklearn_models import assert_agrees, data, fitted, vocabularies

NUMBERS, WORDS, TWO, _, _ = data()
SIZES = np.array([1, 2, 3, 5])[(abs(NUMBERS[:, 2]) % 4).astype(int)]
# A number, a word, another number, and a number that is a category.
ROWS = np.array([[a, word, b, size] for (a, b), word, size in zip(NUMBERS[:, :2], WORDS, SIZES, strict=True)], object)
NAMES = ["age", "job", "income", "size"]


def network(encoder: Any, remainder: str = "drop") -> Any:
    parts = [("numbers", StandardScaler(), [2, 0]), ("categories", encoder, [1, 3])]
    columns = ColumnTransformer(parts, remainder=remainder)
    return fitted(Pipeline([("columns", columns), ("final", LogisticRegression())]), ROWS, TWO)


def test_numbers_are_one_input_and_each_column_of_categories_another() -> None:
    converted = from_sklearn(network(OneHotEncoder()), features=NAMES)
    assert [(spec.name, list(spec.shape), spec.data_type) for spec in converted.model.inputs] == [
        ("input", [2], DATA_TYPE_FLOAT32),
        ("job", [1], DATA_TYPE_INT32),
        ("size", [1], DATA_TYPE_INT32),
    ]
    assert layers_of(converted.model) == [
        ("columns/numbers", "normalization"),
        ("columns/categories/job", "embedding"),
        ("columns/categories/size", "embedding"),
        ("columns/categories", "concatenate"),
        ("columns", "concatenate"),
        ("final/decision", "dense"),
        ("final", "dense"),
    ]
    assert_agrees(converted, columns=2)


def test_the_metadata_say_which_number_a_category_has() -> None:
    metadata = from_sklearn(network(OneHotEncoder()), features=NAMES).model.metadata
    assert json.loads(metadata["features"]) == ["income", "age"]
    assert json.loads(metadata["categories.job"]) == ["a", "b", "c"]
    assert json.loads(metadata["categories.size"]) == [1, 2, 3, 5]


def test_columns_without_names_have_numbers() -> None:
    model = from_sklearn(network(OneHotEncoder())).model
    assert [spec.name for spec in model.inputs] == ["input", "column_1", "column_3"]
    assert json.loads(model.metadata["features"]) == [2, 0]


@pytest.mark.parametrize(
    ("encoder", "rows_of_jobs"),
    [
        (OneHotEncoder(), 3),
        (OneHotEncoder(handle_unknown="ignore"), 4),
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=16), 4),
        (OneHotEncoder(drop="first"), 3),
        (OrdinalEncoder(), 3),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), 4),
    ],
)
def test_categories_that_no_row_had_are_the_number_after_the_last(encoder: Any, rows_of_jobs: int) -> None:
    converted = from_sklearn(network(encoder))
    assert vocabularies(converted.model)["column_1"] == rows_of_jobs
    assert_agrees(converted, columns=2)


def test_what_remains_is_passed_on() -> None:
    converted = from_sklearn(network(OneHotEncoder(), remainder="passthrough"))
    assert_agrees(converted, columns=2)
    parts = [("word", OneHotEncoder(), [1]), ("some", StandardScaler(), [0]), ("rest", "passthrough", [2, 3])]
    converted = from_sklearn(fitted(ColumnTransformer(parts), ROWS))
    assert [name for name, _ in layers_of(converted.model)] == [
        "columntransformer/word",
        "columntransformer/some/columns",
        "columntransformer/some",
        "columntransformer/rest/columns",
        "columntransformer",
    ]
    assert_agrees(converted, columns=6)


@pytest.mark.parametrize("columns", [[0, 2], (0, 2), slice(0, 3, 2), [True, False, True, False], [-4, -2]])
def test_columns_are_chosen_in_every_way(columns: Any) -> None:
    given = ColumnTransformer([("p", make_pipeline(StandardScaler(), PCA(1)), columns), ("s", StandardScaler(), [1])])
    converted = from_sklearn(fitted(given, NUMBERS))
    assert json.loads(from_sklearn(given, features=["a", "b", "c", "d"]).model.metadata["features"]) == ["a", "c", "b"]
    assert_agrees(converted, columns=2)


def test_a_column_transformer_after_another_step() -> None:
    columns = ColumnTransformer([("p", PCA(1), [0, 2]), ("s", StandardScaler(), [1, 0])], transformer_weights={"s": 2})
    converted = from_sklearn(fitted(make_pipeline(StandardScaler(), columns), NUMBERS))
    assert_agrees(converted, columns=3)


def test_an_encoder_alone_takes_categories_only() -> None:
    converted = from_sklearn(fitted(make_pipeline(OneHotEncoder(), LogisticRegression()), ROWS[:, [1, 3]], TWO))
    assert [spec.name for spec in converted.model.inputs] == ["column_0", "column_1"]
    assert_agrees(converted, columns=2)


def test_a_column_may_be_encoded_twice() -> None:
    parts = [("one", OneHotEncoder(), [1]), ("two", OrdinalEncoder(), [1])]
    converted = from_sklearn(fitted(ColumnTransformer(parts), ROWS))
    assert [spec.name for spec in converted.model.inputs] == ["column_1"]
    assert_agrees(converted, columns=4)


def test_missing_categories_are_null() -> None:
    rows = np.array([["a"], ["b"], [None]], object)
    converted = from_sklearn(fitted(OneHotEncoder(handle_unknown="ignore"), rows))
    assert json.loads(converted.model.metadata["categories.column_0"]) == ["a", "b", None]
    assert_agrees(converted, columns=3)


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (make_pipeline(StandardScaler(), OneHotEncoder()), "columns/part/onehotencoder: it encodes what another step"),
        (
            KBinsDiscretizer(2, quantile_method="averaged_inverted_cdf"),
            "columns/part: it is not dense algebra: got KBins",
        ),
    ],
)
def test_other_parts_are_refused_by_name(step: Any, problem: str) -> None:
    model = fitted(Pipeline([("columns", ColumnTransformer([("part", step, [0])]))]), NUMBERS)
    with pytest.raises(UnsupportedError, match=f"^{problem}"):
        from_sklearn(model)
