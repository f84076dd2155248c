"""What counts: requests that were to start in the measurement, whenever they are answered."""

from typing import Any

import numpy as np
import pytest

from numbatch.loadtest.histogram import Histogram
from numbatch.loadtest.recorder import Recorder
from numbatch.loadtest.series import Series


def recorder(begin: float = 1.0, end: float = 4.0, *, has_schedule: bool = True) -> Recorder:
    return Recorder(begin, end, has_schedule=has_schedule)


def answered(to: Recorder, due: float, done: float, sent: float | None = None, rows: int = 1) -> None:
    to.sent(due)
    to.ok(due, due if sent is None else sent, done, rows)


def test_what_starts_in_the_warmup_does_not_count_even_if_it_is_answered_later() -> None:
    notes = recorder()
    answered(notes, 0.5, 1.5)
    answered(notes, 1.0, 1.25)
    notes.tick()
    assert (notes.counts, notes.latency.count, notes.latency.max) == ({"ok": 1}, 1, 250_000.0)


def test_what_starts_in_time_counts_however_late_it_is_answered() -> None:
    notes = recorder()
    answered(notes, 3.5, 9.0)
    notes.tick()
    assert (notes.counts["ok"], notes.latency.max) == (1, 5_500_000.0)


def test_rates_are_of_what_arrived_in_time() -> None:
    notes = recorder()
    answered(notes, 0.5, 1.5, rows=10)  # of the warm-up, answered in time
    answered(notes, 2.0, 2.5, rows=10)
    answered(notes, 3.5, 4.5, rows=10)  # in time, answered after the end
    notes.tick()
    assert (notes.requests_in_time, notes.rows_in_time) == (2, 20.0)
    assert (notes.open_at_begin, notes.open_at_end) == (1, 1)


def test_latency_counts_from_when_a_request_was_to_start_and_service_from_when_it_did() -> None:
    notes = recorder()
    answered(notes, 2.0, 2.5, sent=2.4)
    notes.tick()
    times = (notes.latency.max, notes.lag.max, notes.service.max)
    assert times == pytest.approx((500_000.0, 400_000.0, 100_000.0))


def test_without_a_schedule_nothing_is_late() -> None:
    notes = recorder(has_schedule=False)
    answered(notes, 2.0, 2.5)
    notes.tick()
    assert notes.lag.count == 0


def test_errors_have_times_of_their_own() -> None:
    notes = recorder()
    notes.sent(2.0)
    notes.not_ok("refused", 2.0, 2.0, 2.001, "full")
    notes.tick()
    assert (notes.latency.count, notes.not_ok_latency.count) == (0, 1)
    assert (notes.counts, notes.texts.counts) == ({"refused": 1}, {"full": 1})


def test_a_stall_is_charged_to_all_that_were_due_in_it() -> None:
    """A server that stops for S seconds keeps requests waiting for S^2/2 times the rate, in sum."""
    stall_s, rate = 2.0, 500
    notes = recorder(0.0, 10.0)
    for number in range(10 * rate):
        due = number / rate
        answered(notes, due, max(due, 5.0) if 3.0 <= due < 5.0 else due)
    notes.tick()
    found = notes.latency.distribution()
    assert found.mean * found.count / 1e6 == pytest.approx(stall_s**2 / 2 * rate, rel=0.01)
    # Of 5,000 requests the 50 slowest are those due in the stall's first tenth of a second.
    assert found.percentiles["p99"] / 1e6 == pytest.approx(1.9, rel=0.01)


def test_seconds_are_told_once_and_put_together_again() -> None:
    notes, series = recorder(), Series(1, 1.0)

    def tick(now_s: float) -> None:
        seconds = notes.tick()
        series.add(0, {"now_s": now_s, "in_flight": notes.in_flight, "seconds": seconds})

    answered(notes, 0.5, 0.6)  # the warm-up is in no second
    answered(notes, 1.1, 1.2)
    notes.sent(1.9)
    tick(2.0)
    assert (series.in_flight, [point.ok for point in series.complete(0)]) == (1, [1])
    notes.ok(1.9, 1.9, 3.1, 1)
    tick(3.5)
    assert [(p.t_s, p.sent, p.ok) for p in series.points()] == [(0.0, 2, 1), (1.0, 0, 0), (2.0, 0, 1)]
    assert series.points()[2].max_us == pytest.approx(1_200_000.0)


def told(now_s: float, second: int, ok: list[float]) -> dict[str, Any]:
    times = Histogram()
    times.add(np.array(ok))
    news = {"second": second, "sent": len(ok), "errors": 0, "ok": times.to_json()}
    return {"now_s": now_s, "in_flight": 0, "seconds": [news]}


def test_a_second_is_complete_when_all_processes_are_past_it() -> None:
    series = Series(2, 0.0)
    series.add(0, told(1.5, 0, [100.0]))
    assert series.complete(0) == []
    series.add(1, told(1.1, 0, [300.0, 300.0]))
    [point] = series.complete(0)
    assert (point.ok, point.max_us) == (3, 300.0)
    assert point.p50_us == pytest.approx(300.0, rel=0.006)
