"""Multi-layer perceptrons -> dense layers."""

from typing import Any

from numbatch.convert.sklearn.conversion import Conversion, Value, finite
from numbatch.convert.sklearn.outputs import Output, labels_of, probabilities
from numbatch.wire.graph import Symbol

_ACTIVATIONS = {"identity": "linear", "logistic": "sigmoid", "tanh": "tanh", "relu": "relu", "exp": "exponential"}


def classifier(c: Conversion, model: Any, value: Value, name: str) -> Output:
    """Write the probabilities of the classes, or with several labels for an example, of each label."""
    if model.out_activation_ == "logistic" and model.n_outputs_ > 1:
        return Output(_layers(c, model, value, name, name, "sigmoid"), "predict_proba", labels_of(model))
    decision = _layers(c, model, value, name, f"{name}/decision", "linear")
    return Output(probabilities(c, decision, name), "predict_proba", labels_of(model))


def regressor(c: Conversion, model: Any, value: Value, name: str) -> Output:
    """Write the prediction."""
    return Output(_layers(c, model, value, name, name, _ACTIVATIONS[model.out_activation_]), "predict")


def _layers(c: Conversion, model: Any, value: Value, name: str, last: str, activation: str) -> Symbol:
    x = c.array(value, name)
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    for i, (kernel, bias) in enumerate(layers):
        is_last = i == len(layers) - 1
        function = activation if is_last else _ACTIVATIONS[model.activation]
        weights = finite(name, f"coefs_[{i}]", kernel), finite(name, f"intercepts_[{i}]", bias)
        x = c.writer.dense(x, *weights, function, name=last if is_last else f"{name}/hidden_{i}")
    return x
