"""Loads as people write them: 500, or 500,1000, or the ramps 500:5000:500 and 1:64:x2."""

import math
import re

_MOST_STEPS = 1000
_EXPECTED = "a number, several such as 1,2,4, or FROM:TO:STEP such as 500:5000:500 or 1:64:x2"


def parse_steps(text: str) -> list[float]:
    """Return the loads in order.

    Raises
    ------
    ValueError
        It is none of these; the message says what is expected.
    """
    loads: list[float] = []
    for part in text.split(","):
        numbers = part.split(":")
        if len(numbers) == 1:
            loads.append(_number(part, text))
        elif len(numbers) == 3:
            loads += _ramp(numbers[0], numbers[1], numbers[2], text)
        else:
            raise ValueError(f"got {text!r}, expected {_EXPECTED}")
    return loads


def parse_counts(text: str) -> list[int]:
    """Return the loads as whole numbers, or raise ValueError."""
    loads = parse_steps(text)
    if any(load != int(load) for load in loads):
        raise ValueError(f"got {text!r}, expected whole numbers")
    return [int(load) for load in loads]


def _ramp(first: str, last: str, step: str, text: str) -> list[float]:
    start, end = _number(first, text), _number(last, text)
    factor = re.fullmatch(r"x(.+)", step)
    by = _number(factor[1] if factor else step, text)
    if end < start or (factor and by <= 1):
        raise ValueError(f"got {text!r}, expected a ramp that goes up")
    # A hair more than the end, so that 0.1:0.3:0.1 has three.
    top = end * (1 + 1e-9)
    steps = math.log(top / start) / math.log(by) if factor else (top - start) / by
    if steps > _MOST_STEPS:
        raise ValueError(f"got {text!r}, which has more than {_MOST_STEPS} steps")
    return [start * by**i if factor else start + by * i for i in range(int(steps) + 1)]


def _number(text: str, whole: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise ValueError(f"got {whole!r}, expected {_EXPECTED}, each more than 0")
    return number
