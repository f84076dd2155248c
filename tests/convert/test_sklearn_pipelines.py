"""Pipelines, scalers, projections: each step is a layer of its name."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)

from numbatch.convert import from_sklearn
from numbatch.wire.errors import InvalidArgumentError, UnsupportedError
from support.onnx_models import layers_of
from support.sklearn_models import assert_agrees, data, fitted

X, WORDS, TWO, _, TARGETS = data()

STEPS = [
    (StandardScaler(), ["step"]),
    (StandardScaler(with_mean=False), ["step"]),
    (StandardScaler(with_std=False), ["step"]),
    (MinMaxScaler((-1, 2)), ["step"]),
    (MaxAbsScaler(), ["step"]),
    (RobustScaler(), ["step"]),
    (RobustScaler(with_centering=False), ["step"]),
    (PCA(2), ["step/centred", "step"]),
    (PCA(2, whiten=True), ["step/centred", "step"]),
    (TruncatedSVD(2), ["step"]),
    (SelectKBest(k=2), ["step"]),
    (FeatureUnion([("s", StandardScaler()), ("p", PCA(1))]), ["step/s", "step/p/centred", "step/p", "step"]),
    (make_pipeline(StandardScaler(), PCA(2)), ["step/standardscaler", "step/pca/centred", "step/pca"]),
    ("passthrough", []),
    (FunctionTransformer(), []),
]


@pytest.mark.parametrize(("step", "layers"), STEPS, ids=[str(step)[:40] for step, _ in STEPS])
def test_each_step_is_a_layer_of_its_name(step: Any, layers: list[str]) -> None:
    model = fitted(Pipeline([("step", step), ("final", LogisticRegression())]), X, WORDS)
    converted = from_sklearn(model)
    assert [name for name, _ in layers_of(converted.model)] == [*layers, "final/decision", "final"]
    assert converted.model.name == "logisticregression"
    assert_agrees(converted, columns=3)


def test_the_output_of_a_step_can_be_asked_for() -> None:
    scaler = StandardScaler()
    converted = from_sklearn(fitted(make_pipeline(scaler, LogisticRegression()), X, WORDS))
    assert_agrees(converted, layer="standardscaler", expected=scaler.transform)


def test_a_scaler_of_huge_numbers() -> None:
    converted = from_sklearn(fitted(StandardScaler(), X * 1e25))
    assert layers_of(converted.model) == [("standardscaler", "batch_normalization")]
    assert_agrees(converted, columns=4)


def test_a_scaler_that_does_nothing_is_left_out() -> None:
    model = make_pipeline(StandardScaler(with_mean=False, with_std=False), LogisticRegression())
    converted = from_sklearn(fitted(model, X, WORDS))
    assert converted.notes == ("standardscaler is left out: it changes nothing.",)
    assert_agrees(converted, columns=3)


def test_transformers_alone_transform() -> None:
    converted = from_sklearn(fitted(make_pipeline(StandardScaler(), PCA(2)), X))
    assert converted.model.metadata["output"] == "transform"
    assert_agrees(converted, columns=2)


def test_weights_of_a_union() -> None:
    union = FeatureUnion([("s", StandardScaler()), ("p", PCA(1))], transformer_weights={"p": 3})
    converted = from_sklearn(fitted(union, X))
    assert [name for name, _ in layers_of(converted.model)][-2:] == ["featureunion/p/weight", "featureunion"]
    assert_agrees(converted, columns=5)


def test_features_have_the_names_that_they_were_fitted_with_or_are_given() -> None:
    scaler = fitted(StandardScaler(), X)
    assert "features" not in from_sklearn(scaler).model.metadata
    named = from_sklearn(scaler, features=["age", "height", "income", "debt"])
    assert json.loads(named.model.metadata["features"]) == ["age", "height", "income", "debt"]
    scaler.feature_names_in_ = np.array(["a", "b", "c", "d"], object)
    assert json.loads(from_sklearn(scaler).model.metadata["features"]) == ["a", "b", "c", "d"]
    with pytest.raises(InvalidArgumentError, match="features: got 1, expected 4 names"):
        from_sklearn(scaler, features=["age"])


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (Normalizer(), "it is not dense algebra: got Normalizer; norms of rows are no layer"),
        (PolynomialFeatures(), "got PolynomialFeatures; compute the products before the model is called"),
        (FunctionTransformer(np.abs), "got FunctionTransformer; apply the function before the model is called"),
        (SimpleImputer(), "got SimpleImputer; fill in what is missing before the model is called"),
        (MinMaxScaler(clip=True), r"it clips: got MinMaxScaler\(clip=True\), expected clip=False"),
    ],
)
def test_other_steps_are_refused_by_name(step: Any, problem: str) -> None:
    model = fitted(Pipeline([("first", StandardScaler()), ("then", step), ("final", LogisticRegression())]), X, WORDS)
    with pytest.raises(UnsupportedError, match=f"^then: .*{problem}"):
        from_sklearn(model)
