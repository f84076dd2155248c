"""The activations of Keras, by name and as layers, as those of numbatch."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from numbatch.convert.keras.network import Operation
from numbatch.wire.errors import NumbatchError
from numbatch.wire.reasons import Reason


class Function(NamedTuple):
    """An activation: y = after * function(before * z).

    Attributes
    ----------
    name : str
        In model.proto: "relu".
    alpha : float, optional
        Its parameter.
    before, after : float
        Factors, 1 for nearly all.
    """

    name: str
    alpha: float | None = None
    before: float = 1.0
    after: float = 1.0

    @property
    def is_plain(self) -> bool:
        """Whether there are no factors."""
        return self.before == self.after == 1.0


_SAME = (
    "linear sigmoid tanh relu relu6 selu softplus softsign hard_sigmoid silu hard_silu mish exponential log_sigmoid "
    "softmax log_softmax"
)
_BY_NAME = {
    **{name: Function(name) for name in _SAME.split()},
    "elu": Function("elu", 1.0),
    "celu": Function("elu", 1.0),  # equal where alpha is 1
    "gelu": Function("gelu_erf"),  # approximate=False is what keras.activations.gelu does by default
    "hard_swish": Function("hard_silu"),
    "leaky_relu": Function("leaky_relu", 0.2),
    "swish": Function("silu"),
    "": Function("linear"),
}
# Until Keras 3 it was clip(0.2 z + 0.5, 0, 1), which is relu6(1.2 z + 3) / 6.
_HARD_SIGMOID_OF_KERAS_2 = Function("hard_sigmoid", before=1.2)

_LAYERS = frozenset(["Activation", "ELU", "LeakyReLU", "ReLU", "Softmax"])
# Functions of keras.ops without parameters.
_FUNCTIONS = {
    "Exp": "exponential",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
    "LogSigmoid": "log_sigmoid",
    "Mish": "mish",
    "Relu": "relu",
    "Relu6": "relu6",
    "Selu": "selu",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}


class Activations:
    """The activations of one version of Keras.

    Parameters
    ----------
    keras_version : str
        "2.15.0", "3.15.1"; "" is taken for Keras 3.
    """

    def __init__(self, keras_version: str) -> None:
        self._is_old = keras_version[:2] in ("0.", "1.", "2.", "2")

    def of_layer(self, layer: Operation, rank: int) -> Function:
        """Return what a layer's `activation` is; `rank` is that of its output, with the batch.

        Raises
        ------
        UnsupportedError
            ACTIVATION_UNSUPPORTED.
        """
        given = layer.config.get("activation")
        if isinstance(given, Mapping):
            return self._of_object(layer, given, rank)
        name = str(given or "")
        if name == "hard_sigmoid" and self._is_old:
            return _HARD_SIGMOID_OF_KERAS_2
        if name not in _BY_NAME:
            raise unsupported(layer, name)
        return _BY_NAME[name]

    def of_operation(self, operation: Operation, rank: int, kwargs: Mapping[str, Any]) -> Function | None:
        """Return what an activation layer or a function of `keras.ops` computes; None if it is neither."""
        parameters = {**operation.config, **kwargs}
        kind = operation.kind
        if kind == "Activation":
            return self.of_layer(operation, rank)
        if kind in ("ReLU", "ops.ReLU"):
            return _relu(operation, parameters)
        if kind in ("LeakyReLU", "ops.LeakyRelu"):
            default = 0.3 if kind == "LeakyReLU" else 0.2
            return Function("leaky_relu", _number(parameters, default, "negative_slope", "alpha"))
        if kind in ("ELU", "ops.Elu"):
            return Function("elu", _number(parameters, 1.0, "alpha"))
        if kind == "ops.Celu" and _number(parameters, 1.0, "alpha") == 1.0:
            return Function("elu", 1.0)
        if kind == "ops.Gelu":
            return Function("gelu_tanh" if parameters.get("approximate", True) else "gelu_erf")
        if kind in ("Softmax", "ops.Softmax", "ops.LogSoftmax"):
            _check_axis(operation, parameters.get("axis", -1), rank)
            return Function("log_softmax" if kind == "ops.LogSoftmax" else "softmax")
        name = _FUNCTIONS.get(kind.removeprefix("ops.")) if kind.startswith("ops.") else None
        return Function(name) if name else None

    def _of_object(self, layer: Operation, given: Mapping[str, Any], rank: int) -> Function:
        kind, config = str(given.get("class_name")), given.get("config")
        is_keras = str(given.get("module") or "keras.layers").startswith(("keras.layers", "keras.src.layers"))
        if is_keras and kind in _LAYERS and isinstance(config, Mapping):
            function = self.of_operation(Operation(layer.name, kind, config), rank, {})
            if function is not None:
                return function
        name = config if isinstance(config, str) else given.get("registered_name") or kind
        raise unsupported(layer, str(name))


def unsupported(operation: Operation, name: str) -> NumbatchError:
    """Return the error for an activation that numbatch has not."""
    known = ", ".join(sorted(each for each in _BY_NAME if each))
    hint = "name one of these, or compute it with layers"
    if name in _BY_NAME:
        hint = f'this is a function of your own, or of TensorFlow: if it is that of Keras, write activation="{name}"'
    return operation.refusal(
        f"its activation, {name}, is none that can be served",
        reason=Reason.ACTIVATION_UNSUPPORTED,
        expected=known,
        hint=hint,
    )


def _relu(operation: Operation, parameters: Mapping[str, Any]) -> Function:
    slope = _number(parameters, 0.0, "negative_slope", "alpha")
    most = parameters.get("max_value")
    if _number(parameters, 0.0, "threshold") or (slope and most is not None) or (most is not None and most <= 0):
        raise operation.refusal(
            "a ReLU with a threshold, or with both a slope and a maximum",
            reason=Reason.ACTIVATION_UNSUPPORTED,
            expected="max_value or negative_slope",
        )
    if slope:
        return Function("leaky_relu", slope)
    if most is None:
        return Function("relu")
    return Function("relu6", before=6 / most, after=most / 6)


def _number(parameters: Mapping[str, Any], default: float, *names: str) -> float:
    for name in names:
        if parameters.get(name) is not None:
            return float(parameters[name])
    return default


def _check_axis(operation: Operation, axis: Any, rank: int) -> None:
    if not is_last(axis, rank):
        raise operation.refusal(f"over axis {axis}", reason=Reason.FEATURE_UNSUPPORTED, expected="axis=-1, the last")


def is_last(axis: Any, rank: int) -> bool:
    """Return whether an axis, or a list of one, is the last of `rank`, the batch counted."""
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    return len(axes) == 1 and axes[0] in (-1, rank - 1)
