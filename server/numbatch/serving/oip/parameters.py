"""What goes with requests and tensors by name: their urgency, their time, their places in shared memory."""

from typing import NamedTuple

from numbatch.batching import Priority
from numbatch.serving.oip.messages import Parameters, Place, Value
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

REGION, BYTE_SIZE, OFFSET = "shared_memory_region", "shared_memory_byte_size", "shared_memory_offset"

# The priorities that the configuration of models tells of.
PRIORITY_LEVELS, DEFAULT_PRIORITY = 2, 2
_URGENT = 1

# A caller of a stream who sets it is told of each answer that it is the only one.
WANTS_FINAL_RESPONSE = "triton_enable_empty_final_response"

_SEQUENCE = ("sequence_id", "sequence_start", "sequence_end")
_CLASSIFICATION = "classification"

# All that mean something.
REQUEST_PARAMETERS = ("priority", "timeout", WANTS_FINAL_RESPONSE, *_SEQUENCE)
TENSOR_PARAMETERS = (REGION, BYTE_SIZE, OFFSET, _CLASSIFICATION)


class Options(NamedTuple):
    """What the parameters of a request ask for.

    Attributes
    ----------
    priority : Priority
        How urgent it is.
    timeout_s : float or None
        After so long nobody waits for the answer.
    """

    priority: Priority = Priority.NORMAL
    timeout_s: float | None = None


_NO_OPTIONS = Options()


def options_of(parameters: Parameters) -> Options:
    """Return what the parameters of a request ask for; names that mean nothing here are passed over.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    UnsupportedError
        FEATURE_UNSUPPORTED, for sequences.
    """
    if not parameters:
        return _NO_OPTIONS
    for name in _SEQUENCE:
        if parameters.get(name):
            problem = "a model keeps nothing from one request to the next"
            raise error(Reason.FEATURE_UNSUPPORTED, problem, field=f"parameters.{name}", got=_shown(parameters[name]))
    priority = _whole(parameters.get("priority", 0), "parameters.priority")
    timeout_us = _whole(parameters.get("timeout", 0), "parameters.timeout")
    # As in Triton, a level that there is not is the default.
    urgency = Priority.HIGH if priority == _URGENT else Priority.NORMAL
    return Options(urgency, timeout_us * 1e-6 if timeout_us else None)


def place_of(parameters: Parameters, field: str) -> Place | None:
    """Return where the parameters of a tensor say that it is, or is to be put; None: not in shared memory.

    Parameters
    ----------
    parameters : mapping
        Those of the tensor.
    field : str
        The path of the tensor, for errors.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    UnsupportedError
        FEATURE_UNSUPPORTED, for "classification".
    """
    if not parameters:
        return None
    if parameters.get(_CLASSIFICATION):
        path = f"{field}.parameters.{_CLASSIFICATION}"
        raise error(
            Reason.FEATURE_UNSUPPORTED, "outputs come as they are", field=path, got=_shown(parameters[_CLASSIFICATION])
        )
    region = parameters.get(REGION)
    if region is None:
        for name in (BYTE_SIZE, OFFSET):
            if name in parameters:
                expected = "the name of a region beside it"
                raise error(Reason.INVALID_FIELD, "required", field=f"{field}.parameters.{REGION}", expected=expected)
        return None
    if not isinstance(region, str) or not region:
        raise _wrong(f"{field}.parameters.{REGION}", region, "the name of a region")
    if BYTE_SIZE not in parameters:
        raise error(
            Reason.INVALID_FIELD, "required", field=f"{field}.parameters.{BYTE_SIZE}", expected="a size in bytes"
        )
    byte_size = _whole(parameters[BYTE_SIZE], f"{field}.parameters.{BYTE_SIZE}")
    return Place(region, byte_size, _whole(parameters.get(OFFSET, 0), f"{field}.parameters.{OFFSET}"))


def _whole(value: Value, field: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _wrong(field, value, "a whole number of 0 or more")
    return value


def _wrong(field: str, value: Value, expected: str) -> NumbatchError:
    return error(Reason.INVALID_FIELD, field=field, got=_shown(value), expected=expected)


def _shown(value: Value) -> str:
    return repr(value[:64] if isinstance(value, str) else value)
