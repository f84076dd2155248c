"""Tensors as JSON has them: lists of numbers, nested or in one row -> arrays."""

from itertools import chain
from typing import Any

import numpy as np

from numbatch.serving.http.json_fields import shown
from numbatch.serving.oip.datatypes import DataType
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, as_float32

# As NumPy had before version 2; a list in a list in a list has none of its own.
_MOST_AXES = 32

_WORDS = {bool: "true or false", int: "a whole number", float: "a fraction"}


def read_elements(data: Any, kind: DataType, field: str) -> Array:
    """Return the elements of a tensor, in one row, of the dtype that its type has.

    Parameters
    ----------
    data : object
        What JSON had: a list, nested as the shape says or in any other rectangular way, or in one row.
    kind : DataType
        The tensor's type.
    field : str
        The path of the list, for errors.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH.
    """
    row = _in_one_row(data, field)
    if not kind.contents:
        raise _mismatch(f"{kind.name} in JSON", field, "numbers", "binary data")
    types = set(map(type, row))
    if kind.dtype.kind == "f":
        return _floats(row, types, kind, field)
    if kind.name == "BOOL":
        _check_types(row, types, {bool}, kind, field)
        return np.array(row, kind.dtype)
    _check_types(row, types, {int}, kind, field)
    least, most = np.iinfo(kind.dtype).min, np.iinfo(kind.dtype).max
    if row and (min(row) < least or max(row) > most):
        position = next(i for i, value in enumerate(row) if not least <= value <= most)
        expected = f"{least} to {most}, as {kind.name}"
        raise _mismatch("out of range", f"{field}[{position}]", shown(row[position]), expected)
    return np.array(row, kind.dtype)


def _floats(row: list[Any], types: set[type], kind: DataType, field: str) -> Array:
    _check_types(row, types, {int, float}, kind, field)
    try:
        wide = np.array(row, np.float64)
    except OverflowError:
        raise _mismatch("out of range", field, "an integer beyond FP64", f"{kind.name}") from None
    return as_float32(wide, field) if kind.name == "FP32" else wide


def _in_one_row(data: Any, field: str) -> list[Any]:
    if type(data) is not list:
        raise _mismatch("", field, shown(data), "a list")
    row: list[Any] = data
    for _ in range(_MOST_AXES):
        if not row or type(row[0]) is not list:
            return row
        if set(map(type, row)) != {list}:
            raise _mismatch("", field, "numbers and lists side by side", "rows of equal length")
        lengths = set(map(len, row))
        if len(lengths) > 1:
            raise _mismatch("", field, f"rows of {min(lengths)} and of {max(lengths)}", "rows of equal length")
        row = list(chain.from_iterable(row))
    raise _mismatch("", field, f"lists nested more than {_MOST_AXES} times", f"at most {_MOST_AXES} axes")


def _check_types(row: list[Any], types: set[type], known: set[type], kind: DataType, field: str) -> None:
    if types <= known:
        return
    position = next(i for i, value in enumerate(row) if type(value) not in known)
    expected = " or ".join(word for each, word in _WORDS.items() if each in known)
    raise _mismatch("", f"{field}[{position}]", shown(row[position]), f"{expected}, as {kind.name}")


def _mismatch(problem: str, field: str, got: str, expected: str) -> NumbatchError:
    return error(Reason.DATA_TYPE_MISMATCH, problem, field=field, got=got, expected=expected)
