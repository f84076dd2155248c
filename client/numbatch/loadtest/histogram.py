"""Histograms of times in logarithmic buckets: constant memory, mergeable, each percentile at most 0.5 % off."""

import math
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from numbatch.loadtest.results import PERCENTILES, Distribution

# Each bucket ends 1 % above the one before: from a microsecond to a quarter of an hour. What is less is in the first,
# what is more in the last.
_GROWTH = 1.01
_BUCKETS = math.ceil(math.log(1e9) / math.log(_GROWTH)) + 1
_UPPER_US = _GROWTH ** np.arange(_BUCKETS, dtype=np.float64)
# The middle of a bucket, from which both of its ends are equally far in proportion.
_TO_MIDDLE = 2 / (1 + _GROWTH)

FloatArray = npt.NDArray[np.float64]


class Histogram:
    """How often times fell into each bucket, and their exact number, sum, smallest and largest."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, np.int64)
        self.count = 0
        self._sum = 0.0
        self._min, self._max = math.inf, 0.0

    def add(self, times_us: FloatArray) -> None:
        """Add many times, in microseconds."""
        if not len(times_us):
            return
        # An upper bound belongs to its bucket.
        buckets = np.minimum(np.searchsorted(_UPPER_US, times_us, side="left"), _BUCKETS - 1)
        self._counts += np.bincount(buckets, minlength=_BUCKETS)
        self.count += len(times_us)
        self._sum += float(times_us.sum())
        self._min = min(self._min, float(times_us.min()))
        self._max = max(self._max, float(times_us.max()))

    def merge(self, other: Self) -> None:
        """Add what another one has: the same as adding its times."""
        self._counts += other._counts
        self.count += other.count
        self._sum += other._sum
        self._min, self._max = min(self._min, other._min), max(self._max, other._max)

    def quantile(self, q: float) -> float:
        """Return the time that a share `q` of all stays at or below, by the nearest rank; 0 of none."""
        if not self.count:
            return 0.0
        rank = max(math.ceil(q * self.count), 1)
        bucket = int(np.searchsorted(np.cumsum(self._counts), rank))
        return float(min(max(_UPPER_US[bucket] * _TO_MIDDLE, self._min), self._max))

    @property
    def max(self) -> float:
        """The largest; 0 of none."""
        return self._max

    def distribution(self) -> Distribution:
        """Return what is reported of it."""
        if not self.count:
            return Distribution()
        return Distribution(
            count=self.count,
            mean=self._sum / self.count,
            min=self._min,
            max=self._max,
            percentiles={name: self.quantile(q) for name, q in PERCENTILES.items()},
        )

    def buckets(self) -> list[tuple[float, int]]:
        """Return the buckets that are not empty: upper bounds and counts."""
        filled = np.flatnonzero(self._counts)
        return [(float(_UPPER_US[i]), int(self._counts[i])) for i in filled]

    def to_json(self) -> dict[str, Any]:
        """Return what JSON takes."""
        filled = np.flatnonzero(self._counts)
        counts = [[int(i), int(self._counts[i])] for i in filled]
        return {"counts": counts, "sum": self._sum, "min": self._min if self.count else 0.0, "max": self._max}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return what `to_json` returned."""
        histogram = cls()
        for bucket, count in data["counts"]:
            histogram._counts[bucket] = count
            histogram.count += count
        if histogram.count:
            histogram._sum, histogram._min, histogram._max = data["sum"], data["min"], data["max"]
        return histogram
