"""Which names are names: of models, layers and inputs; and the names of activations."""

import re
from typing import cast

from numbatch.v1.model_pb2 import ActivationFunction
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# The activations that have a parameter, and its value where none is given.
DEFAULT_ALPHAS = {"leaky_relu": 0.01, "elu": 1.0}

_PREFIX = "ACTIVATION_FUNCTION_"

# Letters and digits first: no hidden files, no ".." among the folders of a model repository.
_MODEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_LAYER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}")


def is_model_name(name: str) -> bool:
    """Return whether a model may have this name."""
    return _MODEL_NAME.fullmatch(name) is not None


def is_layer_name(name: str) -> bool:
    """Return whether a layer or an input may have this name."""
    return _LAYER_NAME.fullmatch(name) is not None


def model_name(text: str) -> str:
    """Return the name nearest to a text that a model may have: the rest becomes "_"; of nothing, "model"."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip("._-")[:128]
    return name if is_model_name(name) else "model"


def activation_name(function: int) -> str:
    """Return the name of an activation ("relu"), also of one that this version does not know."""
    value = ActivationFunction.DESCRIPTOR.values_by_number.get(function)
    return value.name.removeprefix(_PREFIX).lower() if value else f"activation {function}"


def activation_function(name: str, field: str = "activation") -> ActivationFunction:
    """Return the activation of this name.

    Parameters
    ----------
    name : str
        Its name in model.proto, in lower case and without the prefix: "relu", "gelu_erf".
    field : str
        What it is, for errors.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if there is none.
    """
    value = ActivationFunction.DESCRIPTOR.values_by_name.get(_PREFIX + name.upper())
    if value is None or value.number == 0:
        known = ", ".join(activation_name(number) for number in ActivationFunction.values() if number)
        raise error(Reason.INVALID_FIELD, "no such activation", field=field, got=repr(name), expected=known)
    return cast("ActivationFunction", value.number)
