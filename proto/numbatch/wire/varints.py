"""Protobuf's variable-length numbers, and the tags and lengths that are made of them."""

from typing import Protocol

# The wire types, as protobuf calls them.
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5

# Of any number; of tags and lengths protobuf takes no more than 5.
LONGEST_VARINT = 10


class Bytes(Protocol):
    """Bytes, or a view of some."""

    def __getitem__(self, place: int, /) -> int: ...

    def __len__(self) -> int: ...


class VarintError(ValueError):
    """There is no number here: it is too long, or cut off."""


def read_varint(data: Bytes, at: int, longest: int = LONGEST_VARINT) -> tuple[int, int]:
    """Return the number at a place, and the place after it.

    Raises
    ------
    VarintError
        If it has more bytes than `longest`, or the data end before it does.
    """
    value = shift = 0
    end = min(at + longest, len(data))
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise VarintError


def varint(value: int) -> bytes:
    """Return a number of 0 or more."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def field_head(number: int, length: int) -> bytes:
    """Return what comes before the contents of a length-delimited field."""
    return varint(number << 3 | LENGTH_DELIMITED) + varint(length)
