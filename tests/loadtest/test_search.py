"""The search for the highest rate, with servers that are a function."""

from collections.abc import Callable

import pytest

from numbatch.loadtest.search import Search


def searched(search: Search, holds: Callable[[float], bool], most: int = 60) -> tuple[Search, list[tuple[int, str]]]:
    """Run a search; return how it ended and the trials."""
    trials: list[tuple[int, str]] = []
    while (wanted := search.next()) is not None:
        assert len(trials) < most
        rate, phase = wanted
        trials.append((round(rate), str(phase)))
        search = search.record(rate, holds(rate))
    return search, trials


def test_up_by_doubling_then_between_then_again_to_be_sure() -> None:
    search, trials = searched(Search(100.0, precision=0.1), lambda rate: rate <= 1000)
    assert trials == [
        *[(100, "ramp"), (200, "ramp"), (400, "ramp"), (800, "ramp"), (1600, "ramp")],
        *[(1131, "bisect"), (951, "bisect"), (1037, "bisect")],
        *[(951, "confirm")] * 3,
    ]
    assert search.max_rate == pytest.approx(951.4, abs=0.1)


@pytest.mark.parametrize("capacity", [0.7, 37.0, 100.0, 12_345.0])
def test_it_ends_within_the_precision_below_what_is_possible(capacity: float) -> None:
    search, _ = searched(Search(100.0, precision=0.05), lambda rate: rate <= capacity)
    assert capacity / 1.05 <= search.max_rate <= capacity


def test_where_no_rate_holds_it_says_so() -> None:
    search, trials = searched(Search(100.0), lambda _: False)
    assert search.max_rate == 0.0
    assert trials[:3] == [(100, "ramp"), (50, "ramp"), (25, "ramp")]


def test_a_limit_is_not_passed() -> None:
    search, trials = searched(Search(100.0, limit=300.0), lambda _: True)
    assert trials == [(100, "ramp"), (200, "ramp"), (300, "ramp"), *[(300, "confirm")] * 3]
    assert search.max_rate == 300.0


def test_a_rate_that_holds_only_once_is_not_the_answer() -> None:
    seen: list[float] = []

    def holds(rate: float) -> bool:
        seen.append(rate)
        return rate <= 500 or (rate < 1000 and seen.count(rate) == 1)

    search, trials = searched(Search(100.0), holds)
    assert (800, "confirm") in trials or any(phase == "confirm" and rate > 500 for rate, phase in trials)
    assert 500 / 1.05 <= search.max_rate <= 500


def test_a_failure_that_may_be_the_generators_is_looked_at_again() -> None:
    search = Search(100.0).record(100.0, True)
    doubted = search.record(200.0, False, doubtful=True)
    assert doubted.next() == (200.0, "ramp")
    assert doubted.record(200.0, True).next() == (400.0, "ramp")


def test_but_not_for_ever() -> None:
    search = Search(100.0).record(100.0, True)
    for _ in range(3):
        assert search.next() == (200.0, "ramp")
        search = search.record(200.0, False, doubtful=True)
    assert (search.failed, search.doubts) == (200.0, 0)
