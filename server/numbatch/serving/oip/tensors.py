"""Tensors as they came -> arrays: every check that needs no model."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from numbatch.serving.oip.datatypes import DataType, data_type, for_engine
from numbatch.serving.oip.messages import InputTensor, Place
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import MOST_AXES, Array

# Reads so many bytes of shared memory; its second argument is the path of the tensor, for errors.
ReadPlace = Callable[[Place, str], memoryview]


def array_of(tensor: InputTensor, position: int, read_place: ReadPlace) -> Array:
    """Return the array that a tensor is, as an engine takes it: a read-only view of what came, where it can be.

    Parameters
    ----------
    tensor : InputTensor
        What came.
    position : int
        Its place among the inputs, for errors.
    read_place : callable
        Reads shared memory.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, SHAPE_MISMATCH, BYTE_COUNT_MISMATCH, INVALID_FIELD.
    """
    field = f"inputs[{position}]"
    kind = data_type(tensor.datatype, field)
    shape = _shape(tensor.shape, field)
    count = math.prod(shape)  # exact, however large it is
    elements = tensor.elements
    if elements is None:
        if tensor.place is None:
            expected = "raw or typed contents, or a place in shared memory"
            raise error(Reason.BYTE_COUNT_MISMATCH, "no data", field=field, got="nothing", expected=expected)
        # Before anything of that size is made.
        if tensor.place.byte_size != count * kind.dtype.itemsize:
            raise _wrong_size(tensor.place.byte_size, count, kind, shape, f"{field}.parameters.shared_memory_byte_size")
        elements = read_place(tensor.place, field)
    if isinstance(elements, np.ndarray):
        if elements.size != count:
            expected = f"{count} for the shape {list(shape)}"
            got = f"{elements.size} elements"
            raise error(Reason.BYTE_COUNT_MISMATCH, field=f"{field}.contents", got=got, expected=expected)
        array = elements
    else:
        if len(elements) != count * kind.dtype.itemsize:
            raise _wrong_size(len(elements), count, kind, shape, field)
        array = np.frombuffer(elements, kind.dtype)
    try:
        shaped = array.reshape(shape)
    except ValueError as unshapable:  # an empty axis beside others too long to address
        problem = f"no array has such a shape: {unshapable}"
        raise error(Reason.SHAPE_MISMATCH, problem, field=f"{field}.shape", got=list(shape)) from unshapable
    return for_engine(shaped, kind, field)


def _shape(lengths: Sequence[int], field: str) -> tuple[int, ...]:
    if len(lengths) > MOST_AXES:
        got, expected = f"{len(lengths)} axes", f"at most {MOST_AXES}"
        problem = "no array has such a shape"
        raise error(Reason.SHAPE_MISMATCH, problem, field=f"{field}.shape", got=got, expected=expected)
    shape = tuple(lengths)
    if min(shape, default=0) < 0:
        expected = "lengths of 1 or more"
        raise error(Reason.SHAPE_MISMATCH, "negative axis", field=f"{field}.shape", got=list(shape), expected=expected)
    return shape


def _wrong_size(got: int, count: int, kind: DataType, shape: tuple[int, ...], field: str) -> NumbatchError:
    return error(
        Reason.BYTE_COUNT_MISMATCH,
        f"data of {kind.name} {list(shape)}",
        field=field,
        got=f"{got} bytes",
        expected=f"{count * kind.dtype.itemsize} bytes",
    )
