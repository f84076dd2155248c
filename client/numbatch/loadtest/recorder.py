"""What one generator process sees: times are noted as they come, and put into histograms many at once.

A note costs a fraction of a microsecond; NumPy does the rest some times a second, so that memory does not grow with the
length of a run.

Which requests count, of a step with a warm-up that ends at `begin` and a measurement that ends at `end`: latencies and
outcomes are those of all requests that were to *start* in between, however late they are answered. So a stall counts
with all that it delayed. Rates are those of right answers that *arrived* in between: what is answered after the end is
no throughput of that time.
"""

from array import array
from collections import Counter
from typing import Any

import numpy as np

from numbatch.loadtest.histogram import FloatArray, Histogram
from numbatch.loadtest.outcomes import ErrorTexts, Outcome

_US = 1e6


class Recorder:
    """The notes of one process about one step. All times are seconds since the start of the step.

    Parameters
    ----------
    begin, end : float
        When the measurement begins and ends; `end` may be infinite, if a number of requests ends it.
    has_schedule : bool
        Whether requests had a time to start at, so that there can be a lag.

    Attributes
    ----------
    end : float
        As above; it may be moved to now.
    """

    def __init__(self, begin: float, end: float, *, has_schedule: bool) -> None:
        self._begin, self.end, self._has_schedule = begin, end, has_schedule
        self._due = array("d")  # of what was sent
        self._answered = array("d")  # due, sent, done, rows of each that is ok
        self._others: dict[Outcome, array[float]] = {}  # due, sent, done of each that is not
        self.latency, self.service, self.lag, self.not_ok_latency, self.refused = (Histogram() for _ in range(5))
        self.counts: Counter[str] = Counter()
        self.texts = ErrorTexts()
        self.requests_in_time = 0  # right answers that arrived between begin and end
        self.rows_in_time = 0.0
        self.last_done = 0.0
        # How many were in flight at the two ends.
        self.open_at_begin = self.open_at_end = 0
        self.in_flight = 0
        # Of the whole step, with its warm-up: right answers, and all that was answered.
        self.all_ok = self.all_answered = 0
        self._seconds: dict[int, _Second] = {}  # since the last tick

    # The hot path.

    def sent(self, due: float) -> None:
        """Note that a request is on its way."""
        self._due.append(due)

    def ok(self, due: float, sent: float, done: float, rows: int) -> None:
        """Note a right answer."""
        self._answered.extend((due, sent, done, rows))

    def not_ok(self, outcome: Outcome, due: float, sent: float, done: float, text: str) -> None:
        """Note what became of a request otherwise."""
        self._others.setdefault(outcome, array("d")).extend((due, sent, done))
        if self._begin <= due < self.end:
            self.texts.add(text)

    # Some times a second.

    def tick(self) -> list[dict[str, Any]]:
        """Put the notes where they belong, and return what is new, second by second, as JSON takes it."""
        due = np.frombuffer(self._due)
        answered = len(self._answered) // 4 + sum(len(noted) // 3 for noted in self._others.values())
        self.in_flight += len(due) - answered
        self.all_answered += answered
        self.all_ok += len(self._answered) // 4
        for second, count in zip(*np.unique(self._seconds_of(due), return_counts=True), strict=True):
            self._second(second).sent += int(count)
        self._due = array("d")
        if self._answered:
            self._put_answered(*np.frombuffer(self._answered).reshape(-1, 4).T)
            self._answered = array("d")
        for outcome, noted in self._others.items():
            self._put_others(outcome, *np.frombuffer(noted).reshape(-1, 3).T)
        self._others = {}
        news = [second.to_json(number) for number, second in sorted(self._seconds.items())]
        self._seconds = {}
        return news

    def _put_answered(self, due: FloatArray, sent: FloatArray, done: FloatArray, rows: FloatArray) -> None:
        counted = (due >= self._begin) & (due < self.end)
        latency_us = (done - due) * _US
        self.latency.add(latency_us[counted])
        self.service.add((done - sent)[counted] * _US)
        if self._has_schedule:
            self.lag.add((sent - due)[counted] * _US)
        self.counts["ok"] += int(counted.sum())
        arrived = (done >= self._begin) & (done < self.end)
        self.requests_in_time += int(arrived.sum())
        self.rows_in_time += float(rows[arrived].sum())
        self._put_open(due, done)
        seconds = self._seconds_of(done)
        for number in np.unique(seconds):
            second = self._second(number)
            second.ok.add(latency_us[arrived & (np.floor(done - self._begin) == number)])

    def _put_others(self, outcome: Outcome, due: FloatArray, sent: FloatArray, done: FloatArray) -> None:
        counted = (due >= self._begin) & (due < self.end)
        self.not_ok_latency.add((done - due)[counted] * _US)
        if outcome == "refused":
            self.refused.add((done - due)[counted] * _US)
        if self._has_schedule:
            self.lag.add((sent - due)[counted] * _US)
        self.counts[outcome] += int(counted.sum())
        self._put_open(due, done)
        for number, count in zip(*np.unique(self._seconds_of(done), return_counts=True), strict=True):
            self._second(number).errors += int(count)

    def _put_open(self, due: FloatArray, done: FloatArray) -> None:
        self.open_at_begin += int(((due < self._begin) & (done >= self._begin)).sum())
        self.open_at_end += int(((due < self.end) & (done >= self.end)).sum())
        self.last_done = max(self.last_done, float(done.max()))

    def _seconds_of(self, times: FloatArray) -> FloatArray:
        """Return the numbers of the seconds, of those times that are measured."""
        measured = times[(times >= self._begin) & (times < self.end)]
        return np.floor(measured - self._begin)

    def _second(self, number: float) -> "_Second":
        return self._seconds.setdefault(int(number), _Second())


class _Second:
    def __init__(self) -> None:
        self.sent = self.errors = 0
        self.ok = Histogram()

    def to_json(self, number: int) -> dict[str, Any]:
        return {"second": number, "sent": self.sent, "errors": self.errors, "ok": self.ok.to_json()}
