"""The seconds of a step, put together from what all generator processes tell while it runs."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from numbatch.loadtest.histogram import Histogram
from numbatch.loadtest.results import Point


@dataclass
class _Second:
    sent: int = 0
    errors: int = 0
    # None once all processes are past this second.
    ok: Histogram | None = field(default_factory=Histogram)
    point: Point | None = None


class Series:
    """The seconds of one step.

    Parameters
    ----------
    processes : int
        How many tell of it.
    begin_s : float
        When the measurement begins, since the start of the step, from which the processes count.
    """

    def __init__(self, processes: int, begin_s: float) -> None:
        self._begin_s = begin_s
        self._past = [0.0] * processes
        self._in_flight = [0] * processes
        self._seconds: dict[int, _Second] = {}

    def add(self, process: int, tick: Mapping[str, Any]) -> None:
        """Take what is new in a process."""
        self._past[process] = tick["now_s"]
        self._in_flight[process] = tick["in_flight"]
        for told in tick["seconds"]:
            second = self._seconds.setdefault(told["second"], _Second())
            second.sent += told["sent"]
            second.errors += told["errors"]
            if second.ok is not None:
                second.ok.merge(Histogram.from_json(told["ok"]))
        complete = math.floor(min(self._past) - self._begin_s)
        for number, second in self._seconds.items():
            if number < complete and second.ok is not None:
                second.point = _point(number, second)
                second.ok = None

    @property
    def now_s(self) -> float:
        """How far the slowest process has come, since the start of the step."""
        return min(self._past)

    @property
    def in_flight(self) -> int:
        """Requests that wait for answers."""
        return sum(self._in_flight)

    def points(self, batch_rows: Mapping[int, float] | None = None) -> list[Point]:
        """Return all seconds, those in which nothing happened among them.

        Parameters
        ----------
        batch_rows : mapping of int to float, optional
            What the server computed at once in some of them.
        """
        rows = batch_rows or {}
        return [self._told(number, rows.get(number)) for number in range(max(self._seconds, default=-1) + 1)]

    def complete(self, first: int) -> list[Point]:
        """Return the seconds from `first` on of which no process has more to tell but lateness."""
        last = min(math.floor(self.now_s - self._begin_s), max(self._seconds, default=-1) + 1)
        return [self._told(number) for number in range(first, last)]

    def _told(self, number: int, batch_rows: float | None = None) -> Point:
        second = self._seconds.get(number, _Second())
        point = second.point or _point(number, second)
        return replace(point, sent=second.sent, errors=second.errors, batch_rows=batch_rows)


def _point(number: int, second: _Second) -> Point:
    ok = second.ok or Histogram()
    return Point(
        t_s=float(number),
        sent=second.sent,
        ok=ok.count,
        errors=second.errors,
        p50_us=ok.quantile(0.5),
        p99_us=ok.quantile(0.99),
        max_us=ok.max,
    )


def merged(histograms: Iterable[Mapping[str, Any]]) -> Histogram:
    """Return one histogram of those that several processes told."""
    whole = Histogram()
    for one in histograms:
        whole.merge(Histogram.from_json(dict(one)))
    return whole


def summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    """Add up counts by name."""
    total: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return total
