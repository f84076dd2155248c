"""Elapsed, sent -> wait or stop."""

import pytest

from numbatch.loadtest.pacer import Pace, Pacer

STOP = Pace(stop=True)
PACER = Pacer(warmup_s=1.0, duration_s=10.0, count=3)


@pytest.mark.parametrize(
    ("elapsed_s", "sent", "due_s", "expected"),
    [
        (0.0, 0, 0.5, Pace(0.5)),  # early: wait
        (2.0, 1, 1.5, Pace(-0.5)),  # late: at once, and by how much
        (20.0, 1, 10.9, Pace(10.9 - 20.0)),  # what was due in time is sent, however late it is
        (5.0, 1, 11.0, STOP),  # due at the end
        (5.0, 3, 6.0, STOP),  # enough
        (5.0, 0, None, Pace(0.0)),  # a closed loop: now
        (11.0, 0, None, STOP),
        (0.5, 3, None, STOP),
    ],
)
def test_decisions(elapsed_s: float, sent: int, due_s: float | None, expected: Pace) -> None:
    assert PACER.pace(elapsed_s, sent, due_s) == expected


@pytest.mark.parametrize(("start_s", "counts"), [(0.99, False), (1.0, True), (10.99, True), (11.0, False)])
def test_what_starts_in_the_warmup_does_not_count(start_s: float, counts: bool) -> None:
    assert PACER.counts(start_s) is counts


def test_without_limits_it_never_stops() -> None:
    assert Pacer().pace(1e9, 10**12) == Pace(0.0)
