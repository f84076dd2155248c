"""What counts as growth: a leak under noise does, noise and a warm-up do not."""

import random

import pytest

from soak.trend import growth

SECONDS = [i / 2 for i in range(240)]


def busy(seed: int, leak_per_s: float = 0.0) -> list[float]:
    """A level of 100 that goes up by what is in flight, and leaks."""
    rng = random.Random(seed)
    return [100 + rng.choice((0, 0, 1, 5, 40)) * rng.random() + leak_per_s * second for second in SECONDS]


@pytest.mark.parametrize("seed", range(20))
def test_a_leak_is_seen_under_the_noise_of_what_is_in_flight(seed: int) -> None:
    found = growth(SECONDS, busy(seed, leak_per_s=0.2))
    assert found.least <= found.likely <= found.most
    assert found.likely == pytest.approx(0.2 * 119.5 * 0.75, rel=0.1)
    assert found.exceeds(step=6, per_hour=1)


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_no_leak(seed: int) -> None:
    assert not growth(SECONDS, busy(seed)).exceeds(step=1, per_hour=1)


def test_what_is_taken_at_the_start_is_no_leak() -> None:
    warming = [100 + min(second, 30) * 4 for second in SECONDS]
    assert growth(SECONDS, warming).likely == 0


def test_one_step_within_what_is_allowed_is_no_leak() -> None:
    assert not growth(SECONDS, [100 + 5 * (second > 80) for second in SECONDS]).exceeds(step=6, per_hour=1)


def test_over_hours_the_rate_decides() -> None:
    hours = [60.0 * minute for minute in range(10 * 60)]
    slow = [100 + second / 3600 * 1.5 for second in hours]
    slower = [100 + second / 3600 * 0.5 for second in hours]
    assert not growth(hours, slower).exceeds(step=2, per_hour=1)
    assert growth(hours, slow).exceeds(step=2, per_hour=1)


def test_too_few_samples_are_no_verdict() -> None:
    with pytest.raises(ValueError, match="too few"):
        growth([0, 1, 2, 3], [1, 1, 1, 1])
