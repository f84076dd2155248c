"""The codec of the Open Inference Protocol agrees with plain protobuf on every input, good or bad."""

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import example, given
from hypothesis import strategies as st

from numbatch.oip.grpc_inference_service_pb2 import (
    InferParameter,
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.oip import MODEL_INFER_REQUEST, MODEL_INFER_RESPONSE, MODEL_STREAM_INFER_RESPONSE, RawCodec
from numbatch.wire.reasons import Reason

AnyCodec = RawCodec[Any]


def by_hand(codec: AnyCodec) -> AnyCodec:
    """Return a codec that treats small messages as it does large ones."""
    return replace(codec, small_bytes=0)


CODECS: dict[str, AnyCodec] = {
    "ModelInferRequest": MODEL_INFER_REQUEST,
    "ModelInferResponse": MODEL_INFER_RESPONSE,
    "ModelStreamInferResponse": MODEL_STREAM_INFER_RESPONSE,
}
CODECS |= {f"{name} by hand": by_hand(codec) for name, codec in CODECS.items()}
each_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS.keys())

texts = st.text(max_size=6)
numbers = st.integers(-(2**63), 2**63 - 1)
blobs = st.lists(st.binary(max_size=20), max_size=3)
parameters = st.dictionaries(
    texts,
    st.one_of(
        st.builds(InferParameter, bool_param=st.booleans()),
        st.builds(InferParameter, int64_param=numbers),
        st.builds(InferParameter, string_param=texts),
    ),
    max_size=2,
)
contents = st.one_of(
    st.none(),
    st.builds(InferTensorContents, fp32_contents=st.lists(st.floats(width=32, allow_nan=False), max_size=3)),
    st.builds(InferTensorContents, int64_contents=st.lists(numbers, max_size=3)),
    st.builds(InferTensorContents, bytes_contents=blobs),
)


def tensors(kind: Any) -> st.SearchStrategy[Any]:
    shapes = st.lists(numbers, max_size=3)
    return st.builds(kind, name=texts, datatype=texts, shape=shapes, parameters=parameters, contents=contents)


requests = st.builds(
    ModelInferRequest,
    model_name=texts,
    model_version=texts,
    id=texts,
    parameters=parameters,
    inputs=st.lists(tensors(ModelInferRequest.InferInputTensor), max_size=3),
    outputs=st.lists(st.builds(ModelInferRequest.InferRequestedOutputTensor, name=texts), max_size=2),
    raw_input_contents=blobs,
)
responses = st.builds(
    ModelInferResponse,
    model_name=texts,
    id=texts,
    outputs=st.lists(tensors(ModelInferResponse.InferOutputTensor), max_size=3),
    raw_output_contents=blobs,
)
messages: dict[type[Message], st.SearchStrategy[Any]] = {
    ModelInferRequest: requests,
    ModelInferResponse: responses,
    ModelStreamInferResponse: st.builds(
        ModelStreamInferResponse, error_message=texts, infer_response=st.one_of(st.none(), responses)
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
        message, found = codec.decode(data)
    except InvalidArgumentError as malformed:
        assert malformed.reason is Reason.MALFORMED_MESSAGE
        return None
    inner = message
    for name in codec.path[:-1]:
        inner = getattr(inner, name)
    if found:  # to touch the contents of a message that is missing is to make it
        raw = getattr(inner, codec.path[-1])
        del raw[:]
        raw.extend(map(bytes, found))
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
    # Serialised messages one after the other are one message, their fields merged: raw contents in any place.
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
@example(b"\x3b\x3c")  # a group, which the protocol does not have
@example(b"\x00\x00")  # field 0, which no message has
@example(b"\x38\x01")  # raw contents that are a number
@example(b"\x3a\x80")  # a length that breaks off
@example(b"\x3a\x05ab")  # contents that do
@example(b"\xff" * 12)
def test_noise_is_refused_or_read_as_protobuf_does(codec: AnyCodec, data: bytes) -> None:
    assert_agreement(codec, data)


PECULIAR_REQUESTS = {
    "raw contents first": b"\x3a\x02ab" + b"\x0a\x01m",
    "raw contents around another field": b"\x3a\x02ab" + b"\x0a\x01m" + b"\x3a\x01c",
    "empty raw contents": b"\x3a\x00\x3a\x00",
    "an unknown field beside them": b"\x3a\x02ab" + b"\x7a\x05later",
    "a tag in five bytes": b"\xba\x80\x80\x80\x00" + b"\x02ab",
    "a tag in six bytes": b"\xba\x80\x80\x80\x80\x00" + b"\x02ab",
    "a length in five bytes": b"\x3a\x82\x80\x80\x80\x00ab",
    "a length in six bytes": b"\x3a\x82\x80\x80\x80\x80\x00ab",
    "a length beyond 2 GiB": b"\x3a\xff\xff\xff\xff\x0fab",
    "a name that is not UTF-8": b"\x0a\x01\xff" + b"\x3a\x02ab",
    "more fields than any request has": b"\x3a\x01a" * 5000,
    "a number of ten bytes beside them": b"\x78" + b"\xff" * 9 + b"\x01" + b"\x3a\x02ab",
    "a number of eleven bytes beside them": b"\x78" + b"\xff" * 10 + b"\x01" + b"\x3a\x02ab",
}


@pytest.mark.parametrize("data", PECULIAR_REQUESTS.values(), ids=PECULIAR_REQUESTS.keys())
def test_peculiar_encodings_are_read_as_protobuf_does(data: bytes) -> None:
    assert_agreement(by_hand(MODEL_INFER_REQUEST), data)


@each_codec
@given(data=st.data(), raw=blobs)
def test_what_the_codec_writes_protobuf_reads(codec: AnyCodec, data: st.DataObject, raw: list[bytes]) -> None:
    head = data.draw(messages[codec.message_type])
    read = codec.message_type.FromString(codec.encode(head, [memoryview(blob) for blob in raw]))
    expected = codec.message_type()
    expected.CopyFrom(head)
    if raw:
        inner: Any = expected
        for name in codec.path[:-1]:
            inner = getattr(inner, name)
        getattr(inner, codec.path[-1]).extend(raw)
    assert read == expected


def test_large_raw_contents_are_read_where_they_lie() -> None:
    request = ModelInferRequest(model_name="m", raw_input_contents=[bytes(100_000), b"\x01" * 50_000])
    data = request.SerializeToString()
    message, raw = MODEL_INFER_REQUEST.decode(data)
    assert message == ModelInferRequest(model_name="m")
    assert [len(blob) for blob in raw] == [100_000, 50_000]
    assert all(blob.obj is data for blob in raw)
