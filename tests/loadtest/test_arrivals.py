"""Schedules: the same in every run, and the same however many processes share them."""

from itertools import islice

import numpy as np
import pytest

from numbatch.loadtest.arrivals import Chunks, Schedule, poisson, recorded, uniform


def first(schedule: Schedule, number: int) -> list[tuple[int, float]]:
    return [arrival for _ in range(number) if (arrival := schedule.take()) is not None]


def test_uniform_arrivals_are_equally_far_apart() -> None:
    assert first(Schedule(uniform(4.0)), 4) == [(0, 0.0), (1, 0.25), (2, 0.5), (3, 0.75)]


def test_the_same_seed_gives_the_same_arrivals() -> None:
    assert first(Schedule(poisson(100.0, 3)), 50) == first(Schedule(poisson(100.0, 3)), 50)
    assert first(Schedule(poisson(100.0, 3)), 50) != first(Schedule(poisson(100.0, 4)), 50)


def test_poisson_arrivals_have_the_rate_and_the_spread() -> None:
    times = np.concatenate(list(islice(poisson(1000.0, 0), 20)))
    gaps = np.diff(times)
    assert gaps.mean() == pytest.approx(0.001, rel=0.02)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.02)  # as exponential ones have
    assert (gaps >= 0).all()


@pytest.mark.parametrize("chunks", [lambda: uniform(7.0), lambda: poisson(7.0, 1)], ids=["uniform", "poisson"])
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_one_schedule(chunks: "type[Chunks]", processes: int) -> None:
    shares = [first(Schedule(chunks(), index, processes), 5000) for index in range(processes)]
    together = sorted(arrival for share in shares for arrival in share)
    assert together == first(Schedule(chunks()), 5000 * processes)


def test_recorded_times_start_at_0_in_order_and_may_be_faster() -> None:
    times = np.array([12.0, 10.0, 11.0])
    assert first(Schedule(recorded(times, speed=2.0)), 5) == [(0, 0.0), (1, 0.5), (2, 1.0)]


def test_a_recording_that_is_over_stays_over() -> None:
    schedule = Schedule(recorded(np.array([1.0])), index=1, of=2)
    assert [schedule.take(), schedule.take()] == [None, None]
