"""The precisions in which a server can keep weights: their names, and their values in the contract."""

from typing import cast

from numbatch.v1.repository_pb2 import WeightsPrecision
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

_PREFIX = "WEIGHTS_PRECISION_"


def precision_name(value: int) -> str:
    """Return the name of a precision ("bf16"): "" for "not given", and something for those of a later version."""
    if value == 0:
        return ""
    known = WeightsPrecision.DESCRIPTOR.values_by_number.get(value)
    return known.name.removeprefix(_PREFIX).lower() if known else f"weights precision {value}"


WEIGHTS_PRECISIONS = tuple(precision_name(value) for value in WeightsPrecision.values() if value)


def weights_precision(name: str) -> WeightsPrecision:
    """Return the precision of this name.

    Parameters
    ----------
    name : str
        "f32", "bf16", or "" for "not given".

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if there is none.
    """
    value = checked_precision(name).upper() if name else "UNSPECIFIED"
    return cast("WeightsPrecision", WeightsPrecision.Value(_PREFIX + value))


def checked_precision(name: str) -> str:
    """Return the name of a precision as it is, if there is such a one.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if there is none.
    """
    if name not in WEIGHTS_PRECISIONS:
        expected = " or ".join(WEIGHTS_PRECISIONS)
        raise error(Reason.INVALID_FIELD, field="weights_precision", got=repr(name), expected=expected)
    return name
