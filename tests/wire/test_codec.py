"""The codec takes messages apart by hand; on every input, good or bad, it agrees with plain protobuf."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from numbatch.v1.errors_pb2 import Status
from numbatch.v1.inference_pb2 import InferRequest, InferResponse, StreamInferRequest, StreamInferResponse
from numbatch.v1.tensor_pb2 import (
    DATA_TYPE_FLOAT16,
    DATA_TYPE_FLOAT32,
    DATA_TYPE_INT8,
    DATA_TYPE_INT32,
    DATA_TYPE_INT64,
    Tensor,
)
from numbatch.wire.codec import (
    INFER_REQUEST,
    INFER_RESPONSE,
    STREAM_INFER_REQUEST,
    STREAM_INFER_RESPONSE,
    TensorCodec,
)
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

AnyCodec = TensorCodec[Any]


def by_hand(codec: AnyCodec) -> AnyCodec:
    """Return a codec that treats small messages as it does large ones."""
    return replace(codec, small_bytes=0)


CODECS: dict[str, AnyCodec] = {
    "InferRequest": INFER_REQUEST,
    "InferResponse": INFER_RESPONSE,
    "StreamInferRequest": STREAM_INFER_REQUEST,
    "StreamInferResponse": STREAM_INFER_RESPONSE,
}
CODECS |= {f"{name} by hand": by_hand(codec) for name, codec in CODECS.items()}
each_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())


texts = st.text(max_size=6)
versions = st.integers(-(2**63), 2**63 - 1)
tensors = st.builds(
    Tensor,
    name=texts,
    data_type=st.integers(0, 9),
    shape=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3),
    data=st.binary(max_size=20),
)
requests = st.builds(
    InferRequest,
    model_name=texts,
    model_version=versions,
    request_id=texts,
    inputs=st.lists(tensors, max_size=3),
    layers=st.lists(texts, max_size=3),
)
responses = st.builds(
    InferResponse,
    model_name=texts,
    model_version=versions,
    request_id=texts,
    outputs=st.lists(tensors, max_size=3),
)
messages: dict[type[Message], st.SearchStrategy[Any]] = {
    InferRequest: requests,
    InferResponse: responses,
    StreamInferRequest: st.builds(StreamInferRequest, request=requests),
    StreamInferResponse: st.one_of(
        st.builds(StreamInferResponse, request_id=texts, response=responses),
        st.builds(StreamInferResponse, request_id=texts, error=st.builds(Status, code=st.integers(0, 16))),
    ),
}


def decoded_by_protobuf(codec: AnyCodec, data: bytes) -> Message | None:
    try:
        message: Message = codec.message_type.FromString(data)
    except DecodeError:
        return None
    return message


def decoded_by_codec(codec: AnyCodec, data: bytes) -> Message | None:
    """What the codec returns, its views put back where they belong."""
    try:
        message, blobs = codec.decode(data)
    except InvalidArgumentError as malformed:
        assert malformed.reason is Reason.MALFORMED_MESSAGE
        return None
    for tensor, blob in zip(codec.tensors(message), blobs, strict=True):
        tensor.data = bytes(blob)
    return message  # type: ignore[no-any-return]


def assert_agreement(codec: AnyCodec, data: bytes) -> None:
    assert decoded_by_codec(codec, data) == decoded_by_protobuf(codec, data)


@each_codec
@given(data=st.data())
def test_what_protobuf_wrote_is_read_the_same(codec: AnyCodec, data: st.DataObject) -> None:
    assert_agreement(codec, data.draw(messages[codec.message_type]).SerializeToString())


@each_codec
@given(data=st.data())
def test_a_message_may_come_in_parts(codec: AnyCodec, data: st.DataObject) -> None:
    # Serialised messages one after the other are one message, their fields merged: duplicates, in any order.
    parts = data.draw(st.lists(messages[codec.message_type], min_size=2, max_size=3))
    assert_agreement(codec, b"".join(part.SerializeToString() for part in parts))


@each_codec
@given(data=st.data())
def test_a_truncated_message_is_refused_or_read_as_protobuf_does(codec: AnyCodec, data: st.DataObject) -> None:
    whole = data.draw(messages[codec.message_type]).SerializeToString()
    assert_agreement(codec, whole[: data.draw(st.integers(0, len(whole)))])


@each_codec
@given(data=st.data())
def test_a_damaged_message_is_refused_or_read_as_protobuf_does(codec: AnyCodec, data: st.DataObject) -> None:
    damaged = bytearray(data.draw(messages[codec.message_type]).SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged)))
        damaged[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    assert_agreement(codec, bytes(damaged))


@each_codec
@given(data=st.binary(max_size=40))
@example(b"\x23\x24")  # a group, which the contract does not have
@example(b"\x00\x00")  # field 0, which no message has
@example(b"\x20\x01")  # a tensor that is a number
@example(b"\x22\x80")  # a length that breaks off
@example(b"\xff" * 12)
def test_noise_is_refused_or_read_as_protobuf_does(codec: AnyCodec, data: bytes) -> None:
    assert_agreement(codec, data)


def fields(*parts: tuple[int, bytes]) -> bytes:
    """Length-delimited fields by number, written by hand."""
    return b"".join(bytes([number << 3 | 2, len(content)]) + content for number, content in parts)


ONE_TENSOR = Tensor(name="x", data_type=DATA_TYPE_FLOAT32, shape=[1], data=b"abcd").SerializeToString()

PECULIAR_REQUESTS = {
    "data twice: the last counts": fields((4, ONE_TENSOR + fields((4, b"wxyz")))),
    "data before the header": fields((4, fields((4, b"abcd"), (1, b"x")))),
    "data empty": fields((4, fields((4, b"")))),
    "tensors around other fields": fields((4, ONE_TENSOR), (1, b"m"), (4, ONE_TENSOR), (5, b"layer"), (1, b"n")),
    "an unknown field in a tensor": fields((4, ONE_TENSOR + fields((15, b"later")))),
    "an unknown field beside it": fields((4, ONE_TENSOR), (15, b"later")),
    "a name that is not UTF-8": fields((4, fields((1, b"\xff"), (4, b"abcd")))),
    "a tag in five bytes": b"\xa2\x80\x80\x80\x00" + bytes([len(ONE_TENSOR)]) + ONE_TENSOR,
    "a tag in six bytes": b"\xa2\x80\x80\x80\x80\x00" + bytes([len(ONE_TENSOR)]) + ONE_TENSOR,
    "a length in five bytes": b"\x22" + bytes([len(ONE_TENSOR) | 0x80]) + b"\x80\x80\x80\x00" + ONE_TENSOR,
    "a length in six bytes": b"\x22" + bytes([len(ONE_TENSOR) | 0x80]) + b"\x80\x80\x80\x80\x00" + ONE_TENSOR,
    "data's length in six bytes": fields((4, b"\x22\x84\x80\x80\x80\x80\x00abcd")),
    "data as a number": fields((4, b"\x20\x01")),
    "data beyond its tensor": fields((4, b"\x22\x05abcd")) + b"e",
    "more tensors than any model has": fields((4, b"\x22\x01a")) * 1025,
}


@pytest.mark.parametrize("data", PECULIAR_REQUESTS.values(), ids=PECULIAR_REQUESTS.keys())
def test_peculiar_encodings_are_read_as_protobuf_does(data: bytes) -> None:
    assert_agreement(by_hand(INFER_REQUEST), data)
    assert_agreement(by_hand(STREAM_INFER_REQUEST), b"\x0a" + _length(data) + data)


def test_the_last_outcome_of_a_stream_response_counts() -> None:
    result = StreamInferResponse(response=InferResponse(outputs=[Tensor(name="first", data=b"1")]))
    failure = StreamInferResponse(error=Status(code=3))
    other = StreamInferResponse(response=InferResponse(outputs=[Tensor(name="second", data=b"2")]))
    for order in ([result, failure], [failure, result], [result, failure, other]):
        assert_agreement(by_hand(STREAM_INFER_RESPONSE), b"".join(message.SerializeToString() for message in order))


DATA_TYPES = {
    np.dtype("<f4"): DATA_TYPE_FLOAT32,
    np.dtype("<f2"): DATA_TYPE_FLOAT16,
    np.dtype("i1"): DATA_TYPE_INT8,
    np.dtype("<i4"): DATA_TYPE_INT32,
    np.dtype("<i8"): DATA_TYPE_INT64,
}

arrays = st.lists(
    st.tuples(
        texts,
        stnp.arrays(
            st.sampled_from(["<f4", ">f4", "<f2", "i1", "<i4", ">i8"]),
            stnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        ),
    ),
    max_size=3,
)


HEADERS: dict[type[Message], Message] = {
    InferRequest: InferRequest(model_name="digits", model_version=3, layers=["hidden"]),
    InferResponse: InferResponse(model_name="digits", model_version=3, request_id="r"),
    StreamInferRequest: StreamInferRequest(request=InferRequest(model_name="digits")),
    StreamInferResponse: StreamInferResponse(request_id="r", response=InferResponse(model_name="digits")),
}


@each_codec
@given(named=arrays)
def test_what_the_codec_writes_protobuf_reads(codec: AnyCodec, named: list[tuple[str, Array]]) -> None:
    header = HEADERS[codec.message_type]
    read = codec.message_type.FromString(codec.encode(header, named))

    expected = codec.message_type()
    expected.CopyFrom(header)
    tensors: Any = codec.tensors(expected)
    for name, array in named:
        wire_order = array.astype(array.dtype.newbyteorder("<"))
        tensors.add(name=name, data_type=DATA_TYPES[wire_order.dtype], shape=array.shape, data=wire_order.tobytes())
    assert read == expected


def test_an_array_that_is_not_contiguous_is_written_in_row_major_order() -> None:
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    message = InferRequest.FromString(INFER_REQUEST.encode(InferRequest(), [("t", grid.T), ("s", grid[:, ::2])]))
    assert [tensor.data for tensor in message.inputs] == [grid.T.copy().tobytes(), grid[:, ::2].copy().tobytes()]


def test_a_message_without_arrays_is_written_as_it_is() -> None:
    failure = StreamInferResponse(request_id="r", error=Status(code=3, message="no"))
    assert STREAM_INFER_RESPONSE.encode(failure) == failure.SerializeToString()


@each_codec
def test_decoding_copies_no_data(codec: AnyCodec) -> None:
    ones = np.ones((128, 128), np.float32)  # over what is left to protobuf
    data = codec.encode(HEADERS[codec.message_type], [("x", ones), ("y", ones)])
    message, views = codec.decode(data)
    assert [(tensor.name, tensor.data) for tensor in codec.tensors(message)] == [("x", b""), ("y", b"")]
    assert [view.obj is data for view in views] == [True, True]


def test_an_array_without_a_tensor_type_is_refused_by_name() -> None:
    with pytest.raises(InvalidArgumentError, match=r"x: .*got float64, expected float32, float16, int8, int32, int64"):
        INFER_REQUEST.encode(InferRequest(), [("x", np.ones(3))])


def test_bytes_that_are_no_message_name_the_message() -> None:
    with pytest.raises(InvalidArgumentError, match=r"3 bytes that are no numbatch\.v1\.InferRequest") as caught:
        INFER_REQUEST.decode(b"\xff\xff\xff")
    assert caught.value.reason is Reason.MALFORMED_MESSAGE


def _length(content: bytes) -> bytes:
    encoded, value = bytearray(), len(content)
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
