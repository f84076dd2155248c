"""Arrays <-> tensors: the one table of data types, and the checks that both sides make."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from numbatch.v1.tensor_pb2 import (
    DATA_TYPE_FLOAT16,
    DATA_TYPE_FLOAT32,
    DATA_TYPE_INT8,
    DATA_TYPE_INT32,
    DATA_TYPE_INT64,
    DATA_TYPE_UNSPECIFIED,
    DataType,
    Tensor,
)
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

Array = npt.NDArray[Any]
Float32Array = npt.NDArray[np.float32]

# bfloat16 is missing: NumPy has no such type.
_DTYPES: dict[DataType, np.dtype[Any]] = {
    DATA_TYPE_FLOAT32: np.dtype("<f4"),
    DATA_TYPE_FLOAT16: np.dtype("<f2"),
    DATA_TYPE_INT8: np.dtype("i1"),
    DATA_TYPE_INT32: np.dtype("<i4"),
    DATA_TYPE_INT64: np.dtype("<i8"),
}
# NumPy before 2 has no more. To multiply the lengths of millions of axes would hold up everybody else for minutes.
MOST_AXES = 32

_FLOAT32 = np.dtype("<f4")
_WIRE_INT32 = np.dtype("<i4")
_INT32 = np.iinfo(np.int32)
_DATA_TYPES = {dtype: data_type for data_type, dtype in _DTYPES.items()}


def data_type_name(data_type: int) -> str:
    """Return the short name of a data type ("float32"), also of one that this version does not know."""
    value = DataType.DESCRIPTOR.values_by_number.get(data_type)
    return value.name.removeprefix("DATA_TYPE_").lower() if value else f"data type {data_type}"


def tensor_header(name: str, array: Array) -> Tensor:
    """Return the tensor of an array without its data.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, if the contract has no type for the elements.
    """
    return Tensor(name=name, data_type=data_type_of(name, array), shape=array.shape)


def data_type_of(name: str, array: Array) -> "DataType":
    """Return the data type of an array's elements.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, if the contract has none for them.
    """
    data_type = _DATA_TYPES.get(array.dtype) or _DATA_TYPES.get(array.dtype.newbyteorder("<"))
    if data_type is None:
        expected = ", ".join(str(dtype) for dtype in _DATA_TYPES)
        raise error(Reason.DATA_TYPE_MISMATCH, "no tensor type for it", field=name, got=array.dtype, expected=expected)
    return data_type


def array_bytes(array: Array) -> memoryview:
    """Return the elements of an array as they go over the wire, without a copy where it is laid out so already."""
    return np.ascontiguousarray(in_wire_order(array)).reshape(-1).view(np.uint8).data


def in_wire_order(array: Array) -> Array:
    """Return an array whose elements are little-endian, copied only where it must be."""
    return array if array.dtype in _DATA_TYPES else array.astype(array.dtype.newbyteorder("<"))


def read_tensor(tensor: Tensor, data: bytes | memoryview, field: str) -> Array:
    """Return the array that a tensor's header and data make, as a read-only view of the data.

    Parameters
    ----------
    tensor : Tensor
        The header; its own `data` is not read.
    data : bytes or memoryview
        The elements.
    field : str
        The path of the tensor in its message, for errors.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, SHAPE_MISMATCH or BYTE_COUNT_MISMATCH.
    """
    dtype = _DTYPES.get(tensor.data_type)
    if dtype is None:
        got = data_type_name(tensor.data_type)
        raise error(Reason.DATA_TYPE_MISMATCH, "not a type of tensors", field=f"{field}.data_type", got=got)
    if len(tensor.shape) > MOST_AXES:
        got, expected = f"{len(tensor.shape)} axes", f"at most {MOST_AXES}"
        problem = "no array has such a shape"
        raise error(Reason.SHAPE_MISMATCH, problem, field=f"{field}.shape", got=got, expected=expected)
    shape = tuple(tensor.shape)
    if min(shape, default=0) < 0:
        raise error(
            Reason.SHAPE_MISMATCH,
            "negative axis",
            field=f"{field}.shape",
            got=list(shape),
            expected="lengths of 1 or more",
        )
    expected_bytes = math.prod(shape) * dtype.itemsize
    if len(data) != expected_bytes:
        raise error(
            Reason.BYTE_COUNT_MISMATCH,
            f"data of {data_type_name(tensor.data_type)} {list(shape)}",
            field=f"{field}.data",
            got=f"{len(data)} bytes",
            expected=f"{expected_bytes} bytes",
        )
    try:
        return np.frombuffer(data, dtype).reshape(shape)
    except ValueError as unshapable:  # empty axes beside others too long to address
        raise error(
            Reason.SHAPE_MISMATCH,
            f"no array has such a shape: {unshapable}",
            field=f"{field}.shape",
            got=f"{len(shape)} axes",
        ) from unshapable


def as_numbers(x: npt.ArrayLike, field: str) -> Array:
    """Return anything NumPy-like as an array that a request may bring: integers as int32 or int64, the rest as float32.

    Integers stay integers because a lookup table's row numbers must: above 2^24, float32 has not all of them. For an
    input of float32, the server rounds them to it.

    Parameters
    ----------
    x, field
        As for `as_float32`.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, as `as_float32`.
    """
    if isinstance(x, np.ndarray) and (x.dtype is _FLOAT32 or x.dtype is _WIRE_INT32) and x.flags.c_contiguous:
        return x
    array = x if isinstance(x, np.ndarray) else _rectangular(x, field)
    if array.dtype.kind not in "iu":
        return as_float32(array, field)
    if array.dtype.itemsize < 4 or (array.size and _INT32.min <= array.min() and array.max() <= _INT32.max):
        return np.ascontiguousarray(array, "<i4").reshape(array.shape)
    if array.size and array.max() > np.iinfo(np.int64).max:
        return as_float32(array, field)
    return np.ascontiguousarray(array, "<i8").reshape(array.shape)


def as_float32(x: npt.ArrayLike, field: str) -> Float32Array:
    """Return anything NumPy-like as a contiguous float32 array, copied only where it must be.

    Parameters
    ----------
    x : array_like
        Numbers or booleans, of any rank. float64 is rounded to the nearest float32.
    field : str
        What it is, for errors.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, if it holds anything but real numbers, is ragged, or finite beyond float32.
    """
    if isinstance(x, np.ndarray) and x.dtype is _FLOAT32 and x.flags.c_contiguous:
        return x
    array = _rectangular(x, field)
    if array.dtype.kind not in "fiub":
        raise error(Reason.DATA_TYPE_MISMATCH, field=field, got=f"dtype {array.dtype}", expected="real numbers")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(array, dtype="<f4").reshape(array.shape)
    if array.dtype.itemsize > 4 and array.dtype.kind == "f" and np.any(np.isinf(single) & np.isfinite(array)):
        raise error(
            Reason.DATA_TYPE_MISMATCH,
            "a finite number beyond the range of float32",
            field=field,
            got=f"up to {np.max(np.abs(array[np.isfinite(array)])):.4g}",
            expected="at most 3.4028e38",
        )
    return single


def _rectangular(x: npt.ArrayLike, field: str) -> Array:
    try:
        return np.asarray(x)
    except ValueError as ragged:
        raise error(
            Reason.DATA_TYPE_MISMATCH,
            "not a rectangular array of numbers",
            field=field,
            got=type(x).__name__,
            expected="numbers, rows of equal length",
        ) from ragged


def is_float32(data_type: int) -> bool:
    """Return whether a specification means float32; unspecified means that too."""
    return data_type in (DATA_TYPE_FLOAT32, DATA_TYPE_UNSPECIFIED)


def shape_text(shape: Sequence[int], *, batch: bool = False) -> str:
    """Return a shape for people: "[10]", or with any batch axes before it "[..., 10]"."""
    axes = (["..."] if batch else []) + [str(length) for length in shape]
    return f"[{', '.join(axes)}]"
