"""Messages as no program writes them, that follow from a seed."""

import random
from collections.abc import Iterator, Sequence

# Where a decoder may count wrong.
_TELLING_BYTES = (0x00, 0x01, 0x7F, 0x80, 0xFF)
_HUGE_LENGTH = b"\xff\xff\xff\xff\x0f"


def mutated(messages: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Return messages, each damaged in one to four places.

    Bits flip, bytes change, parts are cut out, repeated, exchanged with parts of other messages, or become a length
    that no message has.
    """
    rng = random.Random(seed)
    for _ in range(count):
        data = bytearray(rng.choice(messages))
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            _damage(data, messages, rng)
        yield bytes(data)


def _damage(data: bytearray, messages: Sequence[bytes], rng: random.Random) -> None:
    # What stands in front is read first, and says what the rest is.
    at = min(rng.randrange(len(data) + 1), rng.randrange(len(data) + 1))
    end = min(len(data), at + rng.choice((1, 1, 2, 4, 16)))
    kind = rng.randrange(8)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1 and at < len(data):
        data[at] = rng.choice(_TELLING_BYTES)
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        del data[at:end]
    elif kind == 4:
        data[at:at] = data[at:end]
    elif kind == 5:
        other = rng.choice(messages)
        start = rng.randrange(len(other))
        data[at:end] = other[start : start + rng.randrange(1, 24)]
    elif kind == 6:
        data[at:end] = _HUGE_LENGTH
    else:
        data[at:at] = rng.randbytes(rng.randrange(1, 9))
