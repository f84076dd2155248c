"""Activations: the names of Keras and of the contract, and the layers.

>>> Activation("gelu").function == Activation("gelu_erf").function
True
>>> LeakyReLU(0.1).function.alpha.__round__(3)
0.1
"""

import math
from typing import Any

from numbatch.models.layer import Layer
from numbatch.v1.model_pb2 import Activation as ActivationMessage
from numbatch.v1.model_pb2 import Layer as LayerMessage
from numbatch.v1.model_pb2 import Softmax as SoftmaxMessage
from numbatch.wire.errors import error
from numbatch.wire.names import DEFAULT_ALPHAS, activation_function
from numbatch.wire.reasons import Reason

# Where Keras has another name than the contract, and where its default is another.
_NAMES = {"gelu": "gelu_erf", "swish": "silu", "hard_swish": "hard_silu"}
_ALPHAS = {"leaky_relu": 0.2}


class Activation(Layer):
    """An activation, by its name in Keras or in the contract.

    Parameters
    ----------
    activation : str
        "sigmoid", "relu", "gelu" (the erf form; "gelu_tanh" is the other), "softmax" and the others of model.proto.
    alpha : float, optional
        The parameter of "leaky_relu" (default 0.2, as its name means in Keras) or "elu" (default 1); others have none.

    Attributes
    ----------
    function : Activation
        As messages say it.
    """

    def __init__(self, activation: str, *, alpha: float | None = None, name: str = "", **training: Any) -> None:
        super().__init__(name=name, **training)
        self.function = function_of(activation, f"{self.name}.activation", alpha)
        self._describe(LayerMessage(activation=self.function))


class ReLU(Activation):
    """max(x, 0); at most 6 with `max_value=6`; negative_slope x below 0."""

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        *,
        name: str = "",
        **training: Any,
    ) -> None:
        if threshold or max_value not in (None, 6) or (max_value and negative_slope):
            got = f"max_value={max_value}, negative_slope={negative_slope}, threshold={threshold}"
            expected = "max_value=6, or negative_slope, or none of them"
            raise error(Reason.ACTIVATION_UNSUPPORTED, field=name or "re_lu", got=got, expected=expected)
        function = "leaky_relu" if negative_slope else "relu6" if max_value else "relu"
        super().__init__(function, alpha=negative_slope or None, name=name, **training)


class LeakyReLU(Activation):
    """x above 0, negative_slope x below."""

    def __init__(self, negative_slope: float = 0.3, *, name: str = "", **training: Any) -> None:
        super().__init__("leaky_relu", alpha=negative_slope, name=name, **training)


class ELU(Activation):
    """x above 0, alpha (exp(x) - 1) below."""

    def __init__(self, alpha: float = 1.0, *, name: str = "", **training: Any) -> None:
        super().__init__("elu", alpha=alpha, name=name, **training)


class Softmax(Activation):
    """exp(x) / sum(exp(x)) over the last axis."""

    def __init__(self, axis: int = -1, *, name: str = "", **training: Any) -> None:
        super().__init__("softmax", name=name, **training)
        self._describe(LayerMessage(softmax=SoftmaxMessage()))
        self.axis = axis


def function_of(activation: str | Activation | None, field: str, alpha: float | None = None) -> ActivationMessage:
    """Return what messages say for an activation: a name, a layer, or None for linear.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if there is no such activation, or it has no alpha.
    """
    if isinstance(activation, Activation):
        return activation.function
    if not (activation is None or isinstance(activation, str)):
        expected = "a name such as 'relu', or a layer such as LeakyReLU(0.1)"
        raise error(Reason.INVALID_FIELD, field=field, got=type(activation).__name__, expected=expected)
    name = activation or "linear"
    name = _NAMES.get(name, name)
    function = activation_function(name, field)
    if alpha is not None and name not in DEFAULT_ALPHAS:
        raise error(Reason.INVALID_FIELD, f"{name} has no alpha", field=field, got=alpha, expected="none")
    if alpha is not None and not math.isfinite(alpha):
        raise error(Reason.INVALID_FIELD, "alpha", field=field, got=alpha, expected="a finite number")
    return ActivationMessage(function=function, alpha=_ALPHAS.get(name) if alpha is None else alpha)
