"""How much of a processor a generator process takes while it measures."""

import math
import time


class CpuClock:
    """Processor time between two moments, as near to them as somebody looks. In seconds since the start of a step.

    Parameters
    ----------
    begin_s, end_s : float
        The moments; the second may be infinite.
    """

    def __init__(self, begin_s: float, end_s: float) -> None:
        self._begin_s, self._end_s = begin_s, end_s
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None

    def next_look(self, now_s: float) -> float:
        """Return which of the two moments comes next; infinity: none."""
        return next((moment for moment in (self._begin_s, self._end_s) if moment > now_s), math.inf)

    def look(self, now_s: float) -> None:
        """Take the time, if it is time to."""
        if self._first is None:
            if now_s >= self._begin_s:
                self._first = now_s, time.process_time()
        elif self._last is None or self._last[0] < self._end_s:
            self._last = now_s, time.process_time()

    @property
    def used_s(self) -> tuple[float, float]:
        """Processor time, and in how many seconds."""
        if self._first is None or self._last is None:
            return 0.0, 0.0
        return self._last[1] - self._first[1], self._last[0] - self._first[0]
