"""Protobuf messages that are well-formed and wrong: their fields are damaged, and their lengths are right.

What only damages bytes mostly gives what is no message at all. Here a message is taken apart as its bytes say, without
any description of it; a field is left out, repeated, moved, exchanged for one of another message, or given another
number or value; and it is put together again.
"""

import random
from collections.abc import Iterator, Sequence

from numbatch.wire.varints import (
    FIXED32,
    FIXED64,
    LENGTH_DELIMITED,
    VARINT,
    VarintError,
    field_head,
    read_varint,
    varint,
)

# Of a message: its fields in their order. A value is a number, bytes, or a message again.
Fields = list[tuple[int, int, "Value"]]
Value = int | bytes | Fields

_TELLING = (0, 1, 2, 7, 127, 128, 2**15, 2**31 - 1, 2**31, 2**32, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)
_SIZES = {FIXED64: 8, FIXED32: 4}
_DEEPEST = 8


def rearranged(messages: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Return messages, the fields of each damaged in one to four places."""
    rng = random.Random(seed)
    trees = [tree for tree in map(read, messages) if tree]
    values = [value for tree in trees for fields in _all(tree) for _, kind, value in fields if kind == LENGTH_DELIMITED]
    for _ in range(count):
        tree = _copy(rng.choice(trees))
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            _damage(rng.choice(_all(tree)), values, rng)
        yield write(tree)


def read(data: bytes, depth: int = 0) -> Fields | None:
    """Return the fields of a message; None for bytes that are none."""
    fields: Fields = []
    at = 0
    try:
        while at < len(data):
            tag, at = read_varint(data, at)
            number, kind = tag >> 3, tag & 7
            value: Value
            if kind == VARINT:
                value, at = read_varint(data, at)
            elif kind in _SIZES:
                value, at = data[at : at + _SIZES[kind]], at + _SIZES[kind]
            elif kind == LENGTH_DELIMITED:
                length, at = read_varint(data, at)
                content, at = data[at : at + length], at + length
                inner = read(content, depth + 1) if content and depth < _DEEPEST else None
                value = content if inner is None else inner
            else:
                return None
            if at > len(data) or number == 0:
                return None
            fields.append((number, kind, value))
    except VarintError:
        return None
    return fields


def write(fields: Fields) -> bytes:
    """Return the bytes of a message."""
    parts = []
    for number, kind, value in fields:
        if isinstance(value, list):
            value = write(value)
        if isinstance(value, int):
            parts.append(varint(number << 3 | VARINT) + varint(value))
        elif kind in _SIZES:
            parts.append(varint(number << 3 | kind) + value)
        else:
            parts.append(field_head(number, len(value)) + value)
    return b"".join(parts)


def _all(fields: Fields) -> list[Fields]:
    """Return a message and all that are in it."""
    return [fields, *(inner for _, _, value in fields if isinstance(value, list) for inner in _all(value))]


def _copy(fields: Fields) -> Fields:
    return [(number, kind, _copied(value)) for number, kind, value in fields]


def _copied(value: Value) -> Value:
    """Return a value that may be damaged on its own, and does not come to contain itself."""
    return _copy(value) if isinstance(value, list) else value


def _damage(fields: Fields, values: Sequence[Value], rng: random.Random) -> None:
    at = rng.randrange(len(fields)) if fields else 0
    kind = rng.randrange(8)
    if not fields or kind == 0:
        fields.insert(at, (rng.randrange(1, 12), LENGTH_DELIMITED, _copied(rng.choice(values))))
    elif kind == 1:
        del fields[at]
    elif kind == 2:
        fields.insert(rng.randrange(len(fields) + 1), _copy(fields[at : at + 1])[0])
    elif kind == 3:
        fields.append(fields.pop(at))
    elif kind == 4:
        fields[at] = (rng.randrange(1, 12), *fields[at][1:])
    else:
        number, wire_type, value = fields[at]
        fields[at] = (number, wire_type, _other(wire_type, value, values, rng))


def _other(wire_type: int, value: Value, values: Sequence[Value], rng: random.Random) -> Value:
    if isinstance(value, int):
        return rng.choice(_TELLING) if rng.random() < 0.8 else rng.getrandbits(64)
    if wire_type in _SIZES:
        return rng.randbytes(_SIZES[wire_type])
    if isinstance(value, list) or rng.random() < 0.5:
        return _copied(rng.choice(values))
    at = rng.randrange(len(value) + 1)
    return value[:at] + rng.randbytes(rng.choice((0, 0, 1, 4))) + value[at + rng.choice((0, 0, 1, 4)) :]
