"""An Activation message -> which function it is, with every default filled in."""

import math
from typing import NamedTuple

from numbatch.v1.model_pb2 import ACTIVATION_FUNCTION_UNSPECIFIED, Activation, ActivationFunction
from numbatch.wire.errors import error
from numbatch.wire.names import DEFAULT_ALPHAS, activation_name
from numbatch.wire.reasons import Reason


class Function(NamedTuple):
    """What is applied to a layer's output.

    Attributes
    ----------
    name : str
        As `wire.names` calls it: "relu".
    alpha : float
        Its parameter; 0 for those that have none.
    """

    name: str
    alpha: float = 0.0


LINEAR = Function("linear")
SOFTMAX = Function("softmax")


def read_activation(activation: Activation, field: str) -> Function:
    """Check an activation.

    Raises
    ------
    InvalidModelError
        MODEL_INVALID, with the path of the field.
    UnsupportedError
        ACTIVATION_UNSUPPORTED, if a later version of the contract has it.
    """
    name = activation_name(activation.function)
    if activation.function == ACTIVATION_FUNCTION_UNSPECIFIED:
        raise error(Reason.MODEL_INVALID, field=f"{field}.function", got="unspecified", expected="an activation")
    if activation.function not in ActivationFunction.values():
        expected = ", ".join(activation_name(number) for number in ActivationFunction.values() if number)
        raise error(Reason.ACTIVATION_UNSUPPORTED, "not known", field=f"{field}.function", got=name, expected=expected)
    if not activation.HasField("alpha"):
        return Function(name, DEFAULT_ALPHAS.get(name, 0.0))
    alpha = activation.alpha
    if name not in DEFAULT_ALPHAS:
        raise error(Reason.MODEL_INVALID, f"{name} has no alpha", field=f"{field}.alpha", got=alpha, expected="none")
    if not math.isfinite(alpha):
        raise error(Reason.MODEL_INVALID, field=f"{field}.alpha", got=alpha, expected="a finite number")
    return Function(name, alpha)
