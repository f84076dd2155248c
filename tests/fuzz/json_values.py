"""JSON that is well-formed and wrong: its values are damaged, and what is said of its length is right.

What only damages bytes mostly gives what is no JSON at all. Here a value is left out, repeated, moved, exchanged for
one of another message or for one that is telling, or its name is changed; and the text is written again. The messages
are those of `oip_http`.
"""

import copy
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_TELLING: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 8, 2**31, 2**32, 2**61, 2**62, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**400),
    *(0.0, -0.0, 0.5, 1e39, -1e308, float("nan"), float("inf"), "", "x", "\x00", "ä", "FP32", "INT64", "BYTES"),
    *([], {}, [[]], [[], [1]], [1, [2]], [None], ["1"], [True], [1] * 40),
)
_DEEPEST = 40


class _Message(NamedTuple):
    has_length: bool
    value: Any
    rest: bytes


def rearranged(messages: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Return messages, the values of each damaged in one to four places."""
    rng = random.Random(seed)
    read = [message for message in map(_read, messages) if message is not None]
    others = [value for message in read for _, value in _places(message.value)]
    for _ in range(count):
        chosen = rng.choice(read)
        value = copy.deepcopy(chosen.value)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            value = _damaged(value, others, rng)
        yield _write(_Message(chosen.has_length, value, _damaged_rest(chosen.rest, rng)))


def _read(data: bytes) -> _Message | None:
    length, _, body = data.partition(b"\n")
    try:
        end = int(length) if length else len(body)
        return _Message(bool(length), json.loads(body[:end]), body[end:])
    except ValueError:
        return None


def _write(message: _Message) -> bytes:
    text = json.dumps(message.value).encode()
    length = str(len(text)).encode() if message.has_length else b""
    return length + b"\n" + text + message.rest


def _places(value: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    """Return all values that are in others, each with what it is in and where."""
    found: list[tuple[Any, Any]] = []
    if depth < _DEEPEST and isinstance(value, list | dict):
        for key, inner in list(enumerate(value)) if isinstance(value, list) else list(value.items()):
            found += [((value, key), inner), *_places(inner, depth + 1)]
    return found


def _damaged(value: Any, others: Sequence[Any], rng: random.Random) -> Any:
    places = _places(value)
    if not places:
        return copy.deepcopy(rng.choice(others))
    (inside, key), inner = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del inside[key]
    elif kind == 1:
        inside[key] = copy.deepcopy(rng.choice(others))
    elif kind == 2 and isinstance(inside, list):
        inside.insert(rng.randrange(len(inside) + 1), copy.deepcopy(inner))
    elif kind == 3 and isinstance(inside, dict):
        inside[rng.choice(("data", "name", "parameters", "binary_data_size", "shape", "x"))] = inside.pop(key)
    elif kind == 4:
        inside[key] = [copy.deepcopy(inner)]
    else:
        inside[key] = copy.deepcopy(rng.choice(_TELLING))
    return value


def _damaged_rest(rest: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.9:
        return rest
    at = rng.randrange(len(rest) + 1)
    return rest[:at] + rng.randbytes(rng.choice((0, 1, 4))) + rest[at + rng.choice((0, 1, 4)) :]
