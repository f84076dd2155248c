"""InferTensorContents, elements one by one -> an array.

Protobuf hands a repeated field to Python element by element, which took 40 us for a row of 784; serialised, which is
fast, all of them are one piece of bytes, and NumPy reads that.
"""

import numpy as np

from numbatch.oip.grpc_inference_service_pb2 import InferTensorContents
from numbatch.serving.oip.datatypes import DataType
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array
from numbatch.wire.varints import read_varint

_FIXED = {"fp32_contents", "fp64_contents", "bool_contents"}


def typed_elements(contents: InferTensorContents, kind: DataType, field: str) -> Array:
    """Return the elements in one row, of the type's dtype.

    Parameters
    ----------
    contents : InferTensorContents
        What came.
    kind : DataType
        What it is to be.
    field : str
        The path of the tensor, for errors.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, if they are in another field than that of their type; INVALID_FIELD, if one does not fit it.
    """
    given = [descriptor.name for descriptor, _ in contents.ListFields()]
    expected = kind.contents or "raw contents: there are no others of this type"
    wrong = [name for name in given if name != kind.contents]
    if wrong:
        problem = f"contents of {kind.name}"
        got = ", ".join(given)
        raise error(Reason.DATA_TYPE_MISMATCH, problem, field=f"{field}.contents", got=got, expected=expected)
    if not given:
        return np.empty(0, kind.dtype)
    contents.DiscardUnknownFields()  # they would be among the bytes
    packed = contents.SerializeToString()
    _, at = read_varint(packed, 0)  # the tag
    _, at = read_varint(packed, at)  # the length
    if kind.contents in _FIXED:
        return np.frombuffer(packed, kind.dtype, offset=at)
    numbers = varints(np.frombuffer(packed, np.uint8, offset=at))
    # Negative ones come as 64 bits, whatever their field.
    wide = numbers.view(np.int64) if kind.dtype.kind == "i" else numbers
    return in_range(wide, kind, f"{field}.contents.{kind.contents}")


def in_range(numbers: Array, kind: DataType, field: str) -> Array:
    """Return whole numbers in the dtype of a type.

    Parameters
    ----------
    numbers : ndarray of int64 or uint64
        In one row.
    kind : DataType
        A type of integers.
    field : str
        The path of the numbers, for errors.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if one is beyond the type.
    """
    if kind.dtype.itemsize == numbers.dtype.itemsize and kind.dtype.kind == numbers.dtype.kind:
        return numbers
    limits = np.iinfo(kind.dtype)
    wrong = (numbers < limits.min) | (numbers > limits.max)
    if wrong.any():
        place = int(np.argmax(wrong))
        expected = f"{limits.min} to {limits.max}: {kind.name}"
        raise error(Reason.INVALID_FIELD, field=f"{field}[{place}]", got=numbers[place], expected=expected)
    return numbers.astype(kind.dtype)


def varints(data: Array) -> Array:
    """Return the numbers that lie one after the other in bytes which protobuf has written.

    Parameters
    ----------
    data : ndarray of uint8
        Whole numbers of variable length.

    Returns
    -------
    ndarray of uint64
        Their values.
    """
    ends = np.flatnonzero(data < 0x80)
    if len(ends) == len(data):  # all below 128
        return data.astype(np.uint64)
    starts = np.concatenate([[0], ends[:-1] + 1])
    place = np.arange(len(data)) - np.repeat(starts, ends - starts + 1)
    parts = (data & np.uint8(0x7F)).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.bitwise_or.reduceat(parts, starts)
