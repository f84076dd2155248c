"""From values to pixels, and which values an axis names. Pure."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Linear:
    """Equal distances for equal differences.

    Attributes
    ----------
    low, high : float
        The values at the ends.
    start, end : float
        The pixels there; `start` is the larger one where values grow upwards.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; those beyond the ends are at the ends."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + min(max(share, 0.0), 1.0) * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Return about so many round values."""
        step = round_up((self.high - self.low) / wanted)
        first = math.ceil(self.low / step - 1e-9)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


@dataclass(frozen=True)
class Log:
    """Equal distances for equal ratios; the attributes are those of `Linear`, above 0."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value; those beyond the ends are at the ends."""
        share = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        return self.start + min(share, 1.0) * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[float]:
        """Return about so many round values: powers of ten, with 2 and 5 times those if there is room."""
        decades = math.log10(self.high / self.low)
        factors = (1, 2, 5) if decades * 3 <= wanted * 1.5 else (1, 3) if decades * 2 <= wanted * 1.5 else (1,)
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        ticks = [factor * 10.0**power for power in powers for factor in factors]
        return [tick for tick in ticks if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]


Scale = Linear | Log


def from_zero(highest: float, start: float, end: float) -> Linear:
    """Return a scale from 0 to a little more than the highest value."""
    high = highest * 1.06 if highest > 0 else 1.0
    return Linear(0.0, high, start, end)


def around(values: list[float], start: float, end: float) -> Log:
    """Return a logarithmic scale over all values above 0, with a little room at both ends."""
    positive = [value for value in values if value > 0 and math.isfinite(value)] or [1.0]
    low, high = min(positive), max(positive)
    room = max((high / low) ** 0.04, 1.15)
    return Log(low / room, high * room, start, end)


def round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, ... that is not below a value above 0."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= value * (1 - 1e-9))
