"""The data types of the protocol, and what becomes of their elements before an engine has them.

==============================  ==========================================================================
FP32                            stays
FP16, BF16                      float32, exactly
FP64                            the nearest float32; a finite number beyond its range is refused
BOOL, INT8, INT16, UINT8,       int32, exactly; an input of float32 then has them exactly
UINT16
INT32, INT64                    stay; for an input of float32, the nearest one
UINT32                          int64, exactly; for an input of float32, the nearest one
UINT64                          int64 if all elements are below 2^63, else the nearest float32
BYTES                           refused: no model takes text
==============================  ==========================================================================

Row numbers of lookup tables may come in any type of integers; their inputs are INT32.
"""

from typing import Any, NamedTuple

import numpy as np

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, as_float32

_INT64_MAX = np.iinfo(np.int64).max


class DataType(NamedTuple):
    """A data type.

    Attributes
    ----------
    name : str
        As requests name it.
    dtype : dtype
        Its elements as they are in bytes; those of BF16 and BOOL are given by unsigned numbers of the same size.
    contents : str
        The field of InferTensorContents for them; "" where there is none.
    """

    name: str
    dtype: np.dtype[Any]
    contents: str


DATA_TYPES = {
    name: DataType(name, np.dtype(dtype), contents)
    for name, dtype, contents in (
        ("FP32", "<f4", "fp32_contents"),
        ("FP64", "<f8", "fp64_contents"),
        ("FP16", "<f2", ""),
        ("BF16", "<u2", ""),
        ("BOOL", "u1", "bool_contents"),
        ("INT8", "i1", "int_contents"),
        ("INT16", "<i2", "int_contents"),
        ("INT32", "<i4", "int_contents"),
        ("INT64", "<i8", "int64_contents"),
        ("UINT8", "u1", "uint_contents"),
        ("UINT16", "<u2", "uint_contents"),
        ("UINT32", "<u4", "uint_contents"),
        ("UINT64", "<u8", "uint64_contents"),
    )
}

# What an engine takes as it is.
_STAY = {"FP32", "INT32", "INT64"}

# The names of the types of inputs and outputs, by those that an engine has for them.
ENGINE_TYPES = {"float32": "FP32", "int32": "INT32"}


def data_type(name: str, field: str) -> DataType:
    """Return the type of this name.

    Parameters
    ----------
    name : str
        What came.
    field : str
        The path of the tensor, for errors.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH.
    """
    found = DATA_TYPES.get(name)
    if found is None:
        problem = "no model takes text" if name == "BYTES" else "no data type"
        expected = ", ".join(DATA_TYPES)
        got = repr(name[:32])
        raise error(Reason.DATA_TYPE_MISMATCH, problem, field=f"{field}.datatype", got=got, expected=expected)
    return found


def for_engine(elements: Array, kind: DataType, field: str) -> Array:
    """Return elements as an engine takes them: float32, int32 or int64, copied only where they must be.

    Parameters
    ----------
    elements : ndarray of the type's dtype
        What came.
    kind : DataType
        Their type.
    field : str
        The path of the tensor, for errors.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, for a finite FP64 beyond float32.
    """
    name = kind.name
    if name in _STAY:
        return elements
    if name == "FP16":
        return elements.astype(np.float32)
    if name == "BF16":
        upper = elements.astype(np.uint32) << np.uint32(16)
        return upper.view(np.float32)
    if name == "FP64":
        return as_float32(elements, field)
    if name == "BOOL":
        return np.not_equal(elements, 0).astype(np.int32)
    if name == "UINT32":
        return elements.astype(np.int64)
    if name == "UINT64":
        fits = not elements.size or int(elements.max()) <= _INT64_MAX
        return elements.astype(np.int64 if fits else np.float32)
    return elements.astype(np.int32)
