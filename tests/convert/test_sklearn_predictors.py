"""Models of scikit-learn: what they predict, column by column."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
    SGDRegressor,
)
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, LinearSVC

from numbatch.convert import from_sklearn
from numbatch.wire.errors import InvalidModelError, UnsupportedError
from support.onnx_models import layers_of
from support.sklearn_models import assert_agrees, data, fitted

X, WORDS, TWO, LABELS, TARGETS = data()

CLASSIFIERS = {
    "LogisticRegression": (LogisticRegression(), "predict_proba", ["/decision", ""]),
    "LinearDiscriminantAnalysis": (LinearDiscriminantAnalysis(), "predict_proba", ["/decision", ""]),
    "MLPClassifier": (
        MLPClassifier((6, 5), max_iter=20, random_state=1),
        "predict_proba",
        ["/hidden_0", "/hidden_1", "/decision", ""],
    ),
    "LinearSVC": (LinearSVC(), "decision_function", [""]),
    "RidgeClassifier": (RidgeClassifier(), "decision_function", [""]),
    "SGDClassifier": (SGDClassifier(alpha=0.1, random_state=1), "decision_function", [""]),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_give_a_column_for_each_of_several_classes(name: str) -> None:
    model, method, layers = CLASSIFIERS[name]
    converted = from_sklearn(fitted(model, X, WORDS))
    assert [each for each, _ in layers_of(converted.model)] == [name.lower() + each for each in layers]
    assert converted.model.metadata["output"] == method
    assert json.loads(converted.model.metadata["classes"]) == ["a", "b", "c"]
    assert_agrees(converted, columns=3)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_of_two_classes_both_have_a_probability_and_one_column_decides(name: str) -> None:
    model, method, _ = CLASSIFIERS[name]
    converted = from_sklearn(fitted(model, X, TWO))
    assert json.loads(converted.model.metadata["classes"]) == [0, 1]
    assert_agrees(converted, columns=2 if method == "predict_proba" else 1)


def test_the_decision_behind_two_probabilities_can_be_asked_for() -> None:
    model = fitted(LogisticRegression(), X, TWO)
    converted = from_sklearn(model)
    assert layers_of(converted.model) == [("logisticregression/decision", "dense"), ("logisticregression", "dense")]
    assert_agrees(
        converted, layer="logisticregression/decision", expected=lambda rows: model.decision_function(rows)[:, None]
    )


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_hidden_layers_of_a_perceptron(activation: str) -> None:
    model = MLPRegressor(hidden_layer_sizes=(6,), activation=activation, max_iter=20, random_state=1)
    assert_agrees(from_sklearn(fitted(model, X, TARGETS)), columns=2)


def test_a_perceptron_of_several_labels_gives_a_probability_for_each() -> None:
    model = MLPClassifier((6,), max_iter=20, random_state=1)
    converted = from_sklearn(fitted(model, X, LABELS))
    assert [name for name, _ in layers_of(converted.model)] == ["mlpclassifier/hidden_0", "mlpclassifier"]
    assert_agrees(converted, columns=2)


@pytest.mark.parametrize(
    "model",
    [LinearRegression(), LinearRegression(fit_intercept=False), Ridge(), Lasso(0.01), ElasticNet(0.01), SGDRegressor()],
)
def test_regressors_are_a_dense_layer(model: Any) -> None:
    converted = from_sklearn(fitted(model, X, TARGETS[:, 0]))
    assert layers_of(converted.model) == [(type(model).__name__.lower(), "dense")]
    assert converted.model.metadata["output"] == "predict"
    assert_agrees(converted, columns=1)


def test_a_regressor_of_several_targets() -> None:
    assert_agrees(from_sklearn(fitted(Ridge(), X, TARGETS)), columns=2)


def test_a_link_function_is_the_activation() -> None:
    assert_agrees(from_sklearn(fitted(PoissonRegressor(), X, TWO + 0.5)), columns=1)


def test_a_logistic_loss_of_two_classes_gives_probabilities_of_more_decisions_with_a_note() -> None:
    model = SGDClassifier("log_loss", alpha=0.1, random_state=1)
    two = from_sklearn(fitted(model, X, TWO))
    assert two.model.metadata["output"] == "predict_proba"
    assert_agrees(two, columns=2)
    three = from_sklearn(fitted(model, X, WORDS))
    assert three.model.metadata["output"] == "decision_function"
    assert "sgdclassifier gives the values of decision_function" in three.notes[0]
    assert_agrees(three, columns=3)


def test_logistic_regressions_of_older_versions() -> None:
    two = fitted(LogisticRegression(), X, TWO)
    two.multi_class = "multinomial"  # softmax of -d and d, until scikit-learn 1.8
    converted = from_sklearn(two)
    decision = two.decision_function(X)
    expected = np.exp(2 * decision) / (1 + np.exp(2 * decision))
    assert_agrees(
        converted, layer="logisticregression", rows=X, expected=lambda _: np.stack([1 - expected, expected], 1)
    )
    three = fitted(LogisticRegression(), X, WORDS)
    three.multi_class = "ovr"
    assert from_sklearn(three).model.metadata["output"] == "decision_function"


def test_a_search_is_the_best_that_it_found() -> None:
    search = fitted(GridSearchCV(Ridge(), {"alpha": [0.1, 1.0]}, cv=2), X, TARGETS)
    converted = from_sklearn(search)
    assert layers_of(converted.model) == [("ridge", "dense")]
    assert_agrees(converted, columns=2)


def test_models_are_called_after_their_class_and_keep_where_they_came_from() -> None:
    model = fitted(Ridge(), X, TARGETS)
    converted = from_sklearn(model)
    assert converted.model.name == "ridge"
    assert converted.model.metadata["converted_from"].startswith("scikit-learn ")
    assert from_sklearn(model, name="price").model.name == "price"


class Doubled(Ridge):  # type: ignore[misc]  # sklearn has no types
    """Predicts otherwise than what it derives from."""


class Constant(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regressor of somebody's own."""

    def fit(self, x: Any, _y: Any) -> "Constant":
        self.n_features_in_ = x.shape[1]
        return self


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (RandomForestClassifier(2), "randomforestclassifier: it is not dense algebra: got RandomForestClassifier"),
        (SVC(), "svc: it is not dense algebra: got SVC"),
        (Doubled(), "doubled: a class that is not scikit-learn's: got .*Doubled"),
        (Constant(), "constant: a class that is not scikit-learn's: got .*Constant"),
    ],
)
def test_other_models_are_refused_by_class(model: Any, problem: str) -> None:
    with pytest.raises(UnsupportedError, match=f"^{problem}.*LAYER_UNSUPPORTED"):
        from_sklearn(fitted(model, X, TWO))


def test_what_is_not_fitted_or_no_estimator() -> None:
    with pytest.raises(InvalidModelError, match="Ridge: it is not fitted"):
        from_sklearn(Ridge())
    with pytest.raises(UnsupportedError, match=r"no estimator: got builtins\.int"):
        from_sklearn(3)


def test_weights_that_are_not_finite() -> None:
    model = fitted(Ridge(), X, TARGETS)
    model.coef_[0, 0] = np.nan
    with pytest.raises(InvalidModelError, match="ridge: coef_ holds what is not finite"):
        from_sklearn(model)
