"""Arrays and tensors: the table of data types, and what is refused with which words."""

from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from numbatch.v1.tensor_pb2 import (
    DATA_TYPE_BFLOAT16,
    DATA_TYPE_FLOAT16,
    DATA_TYPE_FLOAT32,
    DATA_TYPE_INT8,
    DATA_TYPE_INT32,
    DATA_TYPE_INT64,
    DATA_TYPE_UNSPECIFIED,
    DataType,
    Tensor,
)
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import (
    array_bytes,
    as_float32,
    data_type_name,
    is_float32,
    read_tensor,
    shape_text,
    tensor_header,
)

DTYPES = {
    DATA_TYPE_FLOAT32: "float32",
    DATA_TYPE_FLOAT16: "float16",
    DATA_TYPE_INT8: "int8",
    DATA_TYPE_INT32: "int32",
    DATA_TYPE_INT64: "int64",
}


@pytest.mark.parametrize(("data_type", "dtype"), DTYPES.items())
def test_every_numpy_type_of_the_contract_goes_there_and_back(data_type: DataType, dtype: str) -> None:
    array = np.arange(6).astype(dtype).reshape(2, 3)
    header = tensor_header("x", array)
    assert header == Tensor(name="x", data_type=data_type, shape=[2, 3])
    back = read_tensor(header, array_bytes(array), "inputs[0]")
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_reading_a_tensor_copies_nothing_and_gives_nothing_to_write_to() -> None:
    data = bytes(8)
    array = read_tensor(Tensor(data_type=DATA_TYPE_FLOAT32, shape=[2]), data, "inputs[0]")
    assert np.shares_memory(array, np.frombuffer(data, np.uint8))
    assert not array.flags.writeable


def test_a_tensor_may_lie_at_any_address() -> None:
    data = memoryview(b"-" + np.array([1, 2], np.float32).tobytes())[1:]
    np.testing.assert_array_equal(read_tensor(Tensor(data_type=DATA_TYPE_FLOAT32, shape=[2]), data, "x"), [1, 2])


def test_a_scalar_and_an_empty_batch_are_tensors() -> None:
    scalar = read_tensor(Tensor(data_type=DATA_TYPE_FLOAT32), np.float32(7).tobytes(), "x")
    assert (scalar.shape, scalar.item()) == ((), 7)
    assert read_tensor(Tensor(data_type=DATA_TYPE_FLOAT32, shape=[0, 10]), b"", "x").shape == (0, 10)


REFUSED_TENSORS = {
    "unspecified type": (
        Tensor(data_type=DATA_TYPE_UNSPECIFIED, shape=[1]),
        4,
        Reason.DATA_TYPE_MISMATCH,
        "inputs[0].data_type: not a type of tensors: got unspecified",
    ),
    "a type NumPy lacks": (
        Tensor(data_type=DATA_TYPE_BFLOAT16, shape=[1]),
        2,
        Reason.DATA_TYPE_MISMATCH,
        "inputs[0].data_type: not a type of tensors: got bfloat16",
    ),
    "a type of later": (
        Tensor(data_type=99, shape=[1]),  # type: ignore[arg-type]
        4,
        Reason.DATA_TYPE_MISMATCH,
        "inputs[0].data_type: not a type of tensors: got data type 99",
    ),
    "negative axis": (
        Tensor(data_type=DATA_TYPE_FLOAT32, shape=[2, -1]),
        8,
        Reason.SHAPE_MISMATCH,
        "inputs[0].shape: negative axis: got [2, -1], expected lengths of 1 or more",
    ),
    "two negative axes with a positive product": (
        Tensor(data_type=DATA_TYPE_FLOAT32, shape=[-1, -2]),
        8,
        Reason.SHAPE_MISMATCH,
        "inputs[0].shape: negative axis: got [-1, -2], expected lengths of 1 or more",
    ),
    "one byte short": (
        Tensor(data_type=DATA_TYPE_FLOAT32, shape=[2, 3]),
        23,
        Reason.BYTE_COUNT_MISMATCH,
        "inputs[0].data: data of float32 [2, 3]: got 23 bytes, expected 24 bytes",
    ),
    "one element too many": (
        Tensor(data_type=DATA_TYPE_INT64, shape=[2]),
        24,
        Reason.BYTE_COUNT_MISMATCH,
        "inputs[0].data: data of int64 [2]: got 24 bytes, expected 16 bytes",
    ),
    "a size beyond 64 bits": (
        Tensor(data_type=DATA_TYPE_FLOAT32, shape=[2**62, 2**62]),
        0,
        Reason.BYTE_COUNT_MISMATCH,
        f"inputs[0].data: data of float32 [{2**62}, {2**62}]: got 0 bytes, expected {2**126} bytes",
    ),
}


@pytest.mark.parametrize(("header", "size", "reason", "message"), REFUSED_TENSORS.values(), ids=REFUSED_TENSORS.keys())
def test_a_tensor_that_contradicts_itself_is_refused(header: Tensor, size: int, reason: Reason, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_tensor(header, bytes(size), "inputs[0]")
    assert (caught.value.reason, caught.value.message) == (reason, message)


@pytest.mark.parametrize(("shape", "size"), [([1] * 65, 4), ([0, 2**62, 2**62], 0)], ids=["rank", "empty but endless"])
def test_a_shape_that_no_array_has_is_the_callers_error(shape: list[int], size: int) -> None:
    with pytest.raises(InvalidArgumentError, match=rf"inputs\[0\]\.shape: no array .* got {len(shape)} axes") as caught:
        read_tensor(Tensor(data_type=DATA_TYPE_FLOAT32, shape=shape), bytes(size), "inputs[0]")
    assert caught.value.reason is Reason.SHAPE_MISMATCH


ARRAY_LIKES = {
    "list": [1, 2.5],
    "nested tuples": ((1, 2), (3, 4)),
    "Python number": 3,
    "booleans": [True, False],
    "bytes of int8": np.array([-128, 127], np.int8),
    "unsigned": np.array([2**63], np.uint64),
    "half": np.array([0.1], np.float16),
    "double": np.array([0.1, np.nan, np.inf, -0.0, 1e-50], np.float64),
    "big-endian": np.array([1, 2], ">f4"),
    "a transposed view": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "a strided view": np.arange(8)[::-2],
    "no rows": np.zeros((0, 4)),
}


@pytest.mark.parametrize("x", ARRAY_LIKES.values(), ids=ARRAY_LIKES.keys())
def test_numbers_of_any_form_become_contiguous_float32(x: npt.ArrayLike) -> None:
    single = as_float32(x, "x")
    np.testing.assert_array_equal(single, np.asarray(x).astype(np.float32), strict=True)
    assert single.flags.c_contiguous


def test_float32_is_not_copied() -> None:
    array = np.ones((2, 3), np.float32)
    assert np.shares_memory(as_float32(array, "x"), array)


REFUSED_ARRAYS: dict[str, tuple[Any, str]] = {
    "text": (["1", "2"], "x: got dtype <U1, expected real numbers"),
    "None": (None, "x: got dtype object, expected real numbers"),
    "objects": ([Decimal(1)], "x: got dtype object, expected real numbers"),
    "integers beyond 64 bits": ([2**70], "x: got dtype object, expected real numbers"),
    "complex": ([1j], "x: got dtype complex128, expected real numbers"),
    "dates": (np.array(["2020-01-01"], "M8[D]"), "x: got dtype datetime64[D], expected real numbers"),
    "ragged": (
        [[1, 2], [3]],
        "x: not a rectangular array of numbers: got list, expected numbers, rows of equal length",
    ),
    "beyond float32": (
        [1.0, -4e38, np.inf],
        "x: a finite number beyond the range of float32: got up to 4e+38, expected at most 3.4028e38",
    ),
}


@pytest.mark.parametrize(("x", "message"), REFUSED_ARRAYS.values(), ids=REFUSED_ARRAYS.keys())
def test_what_is_no_array_of_real_numbers_is_refused(x: Any, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        as_float32(x, "x")
    assert (caught.value.reason, caught.value.message) == (Reason.DATA_TYPE_MISMATCH, message)


def test_every_data_type_has_a_short_name_and_float32_is_the_default() -> None:
    names = {number: data_type_name(number) for number in DataType.values()}
    assert names == {
        0: "unspecified",
        1: "float32",
        2: "bfloat16",
        3: "float16",
        4: "int8",
        5: "int32",
        6: "int64",
    }
    assert [number for number in names if is_float32(number)] == [DATA_TYPE_UNSPECIFIED, DATA_TYPE_FLOAT32]


def test_shapes_are_written_with_their_batch_axes() -> None:
    assert (shape_text([10]), shape_text([28, 28], batch=True), shape_text([])) == ("[10]", "[..., 28, 28]", "[]")
