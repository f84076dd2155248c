"""The fields of JSON objects that came: each is what it should be, or is refused by its path."""

from typing import Any

from numbatch.serving.oip.messages import Parameters
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

Object = dict[str, Any]

_WORDS = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}


def as_object(value: Any, field: str) -> Object:
    """Return a value that is to be an object.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    if not isinstance(value, dict):
        raise wrong(field, value, "an object")
    return value


def objects_in(said: Object, name: str, *, required: bool = False) -> list[Object]:
    """Return the list of objects that an object has under a name; an empty one where it is not there.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    value = said.get(name)
    if value is None and not required:
        return []
    if not isinstance(value, list):
        raise wrong(name, value, "a list")
    return [as_object(each, f"{name}[{position}]") for position, each in enumerate(value)]


def text_in(said: Object, name: str, field: str, default: str | None = None) -> str:
    """Return the text that an object has under a name.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    value = said.get(name, default)
    if not isinstance(value, str):
        raise wrong(field, value, "text")
    return value


def count_in(said: Object, name: str, field: str, default: int | None = None) -> int:
    """Return the number of 0 or more that an object has under a name.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    value = said.get(name, default)
    if type(value) is not int or not 0 <= value < 2**63:
        raise wrong(field, value, "a whole number of 0 or more")
    return value


def flag_in(said: Object, name: str, field: str, *, default: bool = False) -> bool:
    """Return the truth value that an object has under a name.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    value = said.get(name, default)
    if not isinstance(value, bool):
        raise wrong(field, value, "true or false")
    return value


def parameters_in(said: Object, field: str = "parameters") -> Parameters:
    """Return the parameters that an object has.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    value = said.get("parameters")
    if value is None:
        return {}
    for name, each in as_object(value, field).items():
        if not isinstance(each, bool | int | float | str) or (isinstance(each, int) and not -(2**63) <= each < 2**64):
            raise wrong(f"{field}.{name[:64]}", each, "text, a number of 64 bits, true or false")
    parameters: Parameters = value
    return parameters


def wrong(field: str, value: Any, expected: str) -> NumbatchError:
    """Return the error for a value that is none of those expected."""
    return error(Reason.INVALID_FIELD, field=field, got=shown(value), expected=expected)


def shown(value: Any) -> str:
    """Return a value for people: short ones as they are, of the others what they are."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return repr(value[:64])
    if isinstance(value, float) or (isinstance(value, int) and value.bit_length() < 128):
        return repr(value)
    return _WORDS[type(value)]
