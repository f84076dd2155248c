"""Model files with their weights in them, read without their weights.

A message that is parsed is in memory as a whole, beside the bytes that it came in: three times the weights until they
are packed. So the weights of a large file are left where they are. What is parsed is the message without them, and
where they lie in the file is known by the path of their field.

Only what every serializer writes is understood: each part once, and one kind of layer. A file that has it otherwise is
right nevertheless, and is parsed as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from numbatch.engine.binary_file import BinaryFile, CutShortError
from numbatch.v1.model_pb2 import Layer, Model, Weights
from numbatch.wire.varints import (
    FIXED32,
    FIXED64,
    LENGTH_DELIMITED,
    LONGEST_VARINT,
    VARINT,
    VarintError,
    field_head,
    read_varint,
)

# Smaller arrays stay in the message.
_LEAST_LEFT_BYTES = 4096

# What has more of them is parsed as a whole, if there is memory for that.
_MOST_DESCRIPTION_BYTES = 64 * 1024 * 1024
_MOST_FIELDS = 500_000

_LAYERS = Model.LAYERS_FIELD_NUMBER
# The kinds of layers, and the arrays of weights of each, by the numbers of their fields.
_KINDS = {one.number: one.name for one in Layer.DESCRIPTOR.oneofs_by_name["kind"].fields}
_ARRAYS = {
    kind.number: {
        one.number: one.name
        for one in getattr(Layer(), kind.name).DESCRIPTOR.fields
        if one.message_type is Weights.DESCRIPTOR
    }
    for kind in Layer.DESCRIPTOR.oneofs_by_name["kind"].fields
}
_DATA = Weights.DATA_FIELD_NUMBER
_SOURCES = {one.number for one in Weights.DESCRIPTOR.oneofs_by_name["source"].fields}

_FIXED_BYTES = {FIXED64: 8, FIXED32: 4}


class Extent(NamedTuple):
    """Where weights lie in a file."""

    at: int
    size: int


class UnusualError(Exception):
    """The file is to be parsed as a whole."""


class MalformedError(Exception):
    """The bytes are no message, whatever its type, or end before it does."""


class Field(NamedTuple):
    """A field in a file: its number, its wire type, and where it begins, where its contents begin, where it ends."""

    number: int
    wire_type: int
    at: int
    contents: int
    end: int


def without_weights(file: BinaryFile) -> tuple[bytes, dict[str, Extent]]:
    """Return the bytes of a Model message without its large weights, and where those lie by the paths of their fields.

    Raises
    ------
    MalformedError
        If this is no message, or a truncated one.
    UnusualError
        If it is to be parsed as a whole.
    """
    copy = _Copy(file)
    try:
        data = copy.model()
    except (CutShortError, VarintError):
        raise MalformedError from None
    return data, copy.extents


@dataclass
class _Copy:
    """A copy of a message that is being made."""

    file: BinaryFile
    extents: dict[str, Extent] = field(default_factory=dict)
    copied: int = 0
    seen: int = 0

    def model(self) -> bytes:
        parts = []
        layers = 0
        for one in self._fields(0, self.file.size):
            if one.number == _LAYERS and one.wire_type == LENGTH_DELIMITED:
                parts.append(_framed(one.number, self._layer(one, f"model.layers[{layers}]")))
                layers += 1
            else:
                parts.append(self._as_it_is(one))
        return b"".join(parts)

    def _layer(self, layer: Field, path: str) -> bytes:
        fields = list(self._fields(layer.contents, layer.end))
        if sum(one.number in _KINDS for one in fields) > 1:
            raise UnusualError
        return b"".join(
            _framed(one.number, self._kind(one, path))
            if one.number in _KINDS and one.wire_type == LENGTH_DELIMITED
            else self._as_it_is(one)
            for one in fields
        )

    def _kind(self, kind: Field, path: str) -> bytes:
        names = _ARRAYS[kind.number]
        path = f"{path}.{_KINDS[kind.number]}"
        fields = list(self._fields(kind.contents, kind.end))
        arrays = [one.number for one in fields if one.number in names]
        if len(arrays) != len(set(arrays)):
            raise UnusualError
        return b"".join(
            _framed(one.number, self._weights(one, f"{path}.{names[one.number]}"))
            if one.number in names and one.wire_type == LENGTH_DELIMITED
            else self._as_it_is(one)
            for one in fields
        )

    def _weights(self, weights: Field, path: str) -> bytes:
        fields = list(self._fields(weights.contents, weights.end))
        if sum(one.number in _SOURCES for one in fields) > 1:
            raise UnusualError
        parts = []
        for one in fields:
            size = one.end - one.contents
            if (one.number, one.wire_type) == (_DATA, LENGTH_DELIMITED) and size >= _LEAST_LEFT_BYTES:
                self.extents[path] = Extent(one.contents, size)
            else:
                parts.append(self._as_it_is(one))
        return b"".join(parts)

    def _as_it_is(self, one: Field) -> bytes:
        self.copied += one.end - one.at
        if self.copied > _MOST_DESCRIPTION_BYTES:
            raise UnusualError
        return self.file.read(one.at, one.end - one.at)

    def _fields(self, at: int, end: int) -> Iterator[Field]:
        while at < end:
            head = self.file.peek(at, min(2 * LONGEST_VARINT, end - at))
            tag, after_tag = read_varint(head, 0)
            number, wire_type = tag >> 3, tag & 7
            if number == 0:
                raise MalformedError
            if wire_type == VARINT:
                _, after = read_varint(head, after_tag)
                one = Field(number, wire_type, at, at + after_tag, at + after)
            elif wire_type == LENGTH_DELIMITED:
                size, after = read_varint(head, after_tag)
                one = Field(number, wire_type, at, at + after, at + after + size)
            elif wire_type in _FIXED_BYTES:
                one = Field(number, wire_type, at, at + after_tag, at + after_tag + _FIXED_BYTES[wire_type])
            else:
                raise UnusualError  # a group
            if one.end > end:
                raise MalformedError
            self.seen += 1
            if self.seen > _MOST_FIELDS:
                raise UnusualError
            yield one
            at = one.end


def _framed(number: int, contents: bytes) -> bytes:
    """Return a field that holds a message."""
    return field_head(number, len(contents)) + contents
