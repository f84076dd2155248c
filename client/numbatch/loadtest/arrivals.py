"""When requests are to start, in seconds since the start of a step. Pure, and the same in every run.

A step has one schedule however many processes send it: of `n` processes each takes every n-th arrival. So the number of
processes changes neither the rate nor the randomness, and Poisson arrivals stay what they are.
"""

from collections.abc import Iterable, Iterator
from itertools import count

import numpy as np

from numbatch.loadtest.histogram import FloatArray

_CHUNK = 4096

Chunks = Iterator[FloatArray]


def uniform(rate: float) -> Chunks:
    """Yield arrivals at equal distances."""
    for start in count(0, _CHUNK):
        yield np.arange(start, start + _CHUNK, dtype=np.float64) / rate


def poisson(rate: float, seed: int) -> Chunks:
    """Yield arrivals that know nothing of each other, as those of many independent callers: exponential distances."""
    random = np.random.default_rng(seed)
    last = 0.0
    while True:
        times = last + np.cumsum(random.exponential(1 / rate, _CHUNK))
        last = float(times[-1])
        yield times


def recorded(times_s: FloatArray, speed: float = 1.0) -> Chunks:
    """Yield arrivals as they were once, the first at 0, `speed` times as fast."""
    ordered = (np.sort(times_s) - times_s.min()) / speed
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]


class Schedule:
    """One process's share of the arrivals.

    Parameters
    ----------
    chunks : iterable of ndarray
        All arrivals, in order.
    index, of : int
        Which of how many processes this is.
    """

    def __init__(self, chunks: Iterable[FloatArray], index: int = 0, of: int = 1) -> None:
        self._chunks = iter(chunks)
        self._next, self._of = index, of  # the number of the next arrival among all
        self._chunk = np.empty(0)
        self._start = 0  # the number of the chunk's first

    def take(self) -> tuple[int, float] | None:
        """Return the number of the next arrival among all, and when it is; None: there is none any more."""
        while self._next - self._start >= len(self._chunk):
            self._start += len(self._chunk)
            chunk = next(self._chunks, None)
            if chunk is None:
                self._chunk = np.empty(0)
                return None
            self._chunk = chunk
        number = self._next
        self._next += self._of
        return number, float(self._chunk[number - self._start])
