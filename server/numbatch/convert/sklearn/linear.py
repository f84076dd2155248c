"""Linear models -> one dense layer, and for probabilities an activation after it."""

from typing import Any

import numpy as np

from numbatch.convert.sklearn.conversion import Conversion, Value, finite
from numbatch.convert.sklearn.outputs import Output, labels_of, probabilities
from numbatch.wire.graph import Symbol

# The linear models whose prediction is an exponential: generalised ones with the link function log.
_LOG_LINKS = ("PoissonRegressor", "GammaRegressor")


def regressor(c: Conversion, model: Any, value: Value, name: str) -> Output:
    """Write x W + b."""
    activation = "exponential" if type(model).__name__ in _LOG_LINKS else "linear"
    return Output(_product(c, model, value, name, activation), "predict")


def classifier(c: Conversion, model: Any, value: Value, name: str) -> Output:
    """Write the values of the decision function: a column for each class, or one for the second of two."""
    return Output(_product(c, model, value, name), "decision_function", labels_of(model))


def logistic(c: Conversion, model: Any, value: Value, name: str) -> Output:
    """Write probabilities; where one class was trained against the others, and there are more than two, decisions."""
    kind = getattr(model, "multi_class", "auto")  # until scikit-learn 1.8
    is_binary = len(model.classes_) == 2
    if not is_binary and (kind == "ovr" or (kind in ("auto", "deprecated") and model.solver == "liblinear")):
        return _decisions_only(c, model, value, name)
    decision = _product(c, model, value, f"{name}/decision")
    factor = 2.0 if is_binary and kind == "multinomial" else 1.0
    return Output(probabilities(c, decision, name, factor), "predict_proba", labels_of(model))


def stochastic(c: Conversion, model: Any, value: Value, name: str) -> Output:
    """Write probabilities of two classes by a logistic loss; of more classes or by other losses, decisions."""
    if model.loss != "log_loss":
        return classifier(c, model, value, name)
    if len(model.classes_) > 2:
        return _decisions_only(c, model, value, name)
    decision = _product(c, model, value, f"{name}/decision")
    return Output(probabilities(c, decision, name), "predict_proba", labels_of(model))


def discriminant(c: Conversion, model: Any, value: Value, name: str) -> Output:
    """Write the probabilities of a linear discriminant analysis."""
    decision = _product(c, model, value, f"{name}/decision")
    return Output(probabilities(c, decision, name), "predict_proba", labels_of(model))


def _decisions_only(c: Conversion, model: Any, value: Value, name: str) -> Output:
    c.notes.append(
        f"{name} gives the values of decision_function: scikit-learn's probabilities of several classes, each trained "
        "against the others, are divided by their sum, which no layer does."
    )
    return classifier(c, model, value, name)


def _product(c: Conversion, model: Any, value: Value, name: str, activation: str = "linear") -> Symbol:
    x = c.array(value, name)
    kernel = np.atleast_2d(finite(name, "coef_", model.coef_)).T
    bias = np.broadcast_to(finite(name, "intercept_", model.intercept_).reshape(-1), kernel.shape[1:])
    return c.writer.dense(x, kernel, bias if np.any(bias) else None, activation, name=name)
