"""Messages of the Open Inference Protocol <-> bytes, their raw contents neither parsed nor copied more than once.

It is what `codec` does for messages of numbatch, and simpler: raw contents are a repeated field of bytes beside all
others, so that the message without them is what protobuf parses, and they are read where they lie.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import DecodeError, Message

from numbatch.oip.grpc_inference_service_pb2 import ModelInferRequest, ModelInferResponse, ModelStreamInferResponse
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.varints import FIXED32, FIXED64, LENGTH_DELIMITED, VARINT, VarintError, field_head, read_varint

MessageT = TypeVar("MessageT", bound=Message)
Bytes = bytes | memoryview

# Protobuf takes no tag or length of more bytes.
_LONGEST_TAG = 5

# Below it, what protobuf copies takes less time than the walk in Python.
_SMALL_BYTES = 48 * 1024

# More fields than a request for a model has; each costs the walk a microsecond of the event loop.
_MOST_FIELDS = 4096


class _NotUnderstood(Exception):
    """The walk met what it does not handle; protobuf decides what it is."""


@dataclass(frozen=True)
class RawCodec(Generic[MessageT]):
    """Encodes and decodes one type of message.

    Attributes
    ----------
    message_type : type
        The generated class.
    path : tuple of str
        The names of the fields that lead from the message to its raw contents.
    small_bytes : int
        Messages of fewer bytes are left to protobuf.
    """

    message_type: type[MessageT]
    path: tuple[str, ...]
    small_bytes: int = _SMALL_BYTES

    def encode(self, message: MessageT, raw: Sequence[Bytes] = ()) -> bytes:
        """Return the bytes of a message with these raw contents behind those that it has."""
        numbers = self._numbers
        parts: list[Bytes] = []
        for blob in raw:
            parts += (field_head(numbers[-1], len(blob)), blob)
        for number in reversed(numbers[:-1]):
            parts = [field_head(number, sum(map(len, parts))), *parts] if parts else []
        return b"".join([message.SerializeToString(), *parts])

    def decode(self, data: bytes) -> tuple[MessageT, list[memoryview]]:
        """Return a message, and its raw contents; the message itself may lack them.

        Raises
        ------
        InvalidArgumentError
            MALFORMED_MESSAGE.
        """
        try:
            walked = self._walk(data) if len(data) >= self.small_bytes else None
            if walked is not None:
                return walked
            message = self.message_type.FromString(data)
        except DecodeError as malformed:
            name = self.message_type.DESCRIPTOR.full_name
            problem, hint = f"{len(data)} bytes that are no {name}", "check the client's .proto files"
            raise error(Reason.MALFORMED_MESSAGE, problem, hint=hint) from malformed
        inner: Message = message
        for name in self.path[:-1]:
            inner = getattr(inner, name)
        return message, [memoryview(blob) for blob in getattr(inner, self.path[-1])]

    def _walk(self, data: bytes) -> tuple[MessageT, list[memoryview]] | None:
        """Return what `decode` returns, or None if protobuf is to say what this is."""
        blobs: list[memoryview] = []
        try:
            return self.message_type.FromString(_strip(memoryview(data), self._numbers, blobs)), blobs
        except (_NotUnderstood, VarintError):
            return None

    @property
    def _numbers(self) -> tuple[int, ...]:
        return _NUMBERS[self.path]


def _strip(view: memoryview, path: tuple[int, ...], blobs: list[memoryview]) -> bytes:
    """Return a message's bytes without the fields at the end of `path`, whose contents are appended to `blobs`."""
    kept: list[Bytes] = []
    position = begin = count = 0
    end = len(view)
    while position < end:
        start = position
        tag, position = read_varint(view, position, _LONGEST_TAG)
        count += 1
        wire_type = tag & 7
        content = position
        if wire_type == LENGTH_DELIMITED:
            length, content = read_varint(view, position, _LONGEST_TAG)
            position = content + length
        elif wire_type == VARINT:
            _, position = read_varint(view, position)
        elif wire_type in (FIXED64, FIXED32):
            position += 8 if wire_type == FIXED64 else 4
        else:
            raise _NotUnderstood
        if position > end or count > _MOST_FIELDS:
            raise _NotUnderstood
        if tag >> 3 != path[0]:
            continue
        if wire_type != LENGTH_DELIMITED:
            raise _NotUnderstood
        kept.append(view[begin:start])
        begin = position
        if len(path) == 1:
            blobs.append(view[content:position])
            continue
        inner = _strip(view[content:position], path[1:], blobs)
        kept += (field_head(path[0], len(inner)), inner)
    kept.append(view[begin:])
    return b"".join(kept)


def _number(message_type: type[Message], field: str) -> int:
    return int(message_type.DESCRIPTOR.fields_by_name[field].number)


_INPUTS, _OUTPUTS = ("raw_input_contents",), ("raw_output_contents",)
_STREAMED = ("infer_response", *_OUTPUTS)

_NUMBERS = {
    _INPUTS: (_number(ModelInferRequest, *_INPUTS),),
    _OUTPUTS: (_number(ModelInferResponse, *_OUTPUTS),),
    _STREAMED: (_number(ModelStreamInferResponse, _STREAMED[0]), _number(ModelInferResponse, *_OUTPUTS)),
}

MODEL_INFER_REQUEST = RawCodec(ModelInferRequest, _INPUTS)
MODEL_INFER_RESPONSE = RawCodec(ModelInferResponse, _OUTPUTS)
MODEL_STREAM_INFER_RESPONSE = RawCodec(ModelStreamInferResponse, _STREAMED)
