"""When a worker that ended is started again."""

import math

import pytest

from numbatch.serving.workers.restarts import STABLE_S, Restarts

# How long it was ready before each death -> the delays before each new start.
SERIES = {
    "one death costs nothing": ([30], [0]),
    "a series costs more and more": ([0] * 6, [0, 0.5, 1, 2, 4, 8]),
    "deaths soon after it was ready are a series too": ([1, STABLE_S - 1, 2], [0, 0.5, 1]),
    "a stable time ends a series": ([0, 0, 0, STABLE_S, 0], [0, 0.5, 1, 0, 0.5]),
    "no delay is longer than the longest": ([0] * 9, [0, 0.5, 1, 2, 4, 8, 16, 30, 30]),
    "ready for ever": ([math.inf, math.inf], [0, 0]),
}


@pytest.mark.parametrize(("ready_s", "delays"), SERIES.values(), ids=SERIES.keys())
def test_delays(ready_s: list[float], delays: list[float]) -> None:
    restarts, found = Restarts(), []
    for seconds in ready_s:
        restarts = restarts.died(seconds)
        found.append(restarts.delay_s)
    assert found == delays


def test_before_any_death_nothing_waits() -> None:
    assert Restarts().delay_s == 0


def test_a_number_of_deaths_that_no_power_of_two_can_follow() -> None:
    assert Restarts(deaths=10**9).delay_s == 30


# Deaths in a row, whether the service has ever been ready -> whether to give up.
HOPELESS = {
    "it never died": (0, False, False),
    "bad luck": (2, False, False),
    "a start that fails": (3, False, True),
    "a service that ran": (3, True, False),
    "a service that ran, for the thousandth time": (1000, True, False),
}


@pytest.mark.parametrize(("deaths", "was_ready", "hopeless"), HOPELESS.values(), ids=HOPELESS.keys())
def test_only_a_start_is_given_up(deaths: int, was_ready: bool, hopeless: bool) -> None:
    assert Restarts(deaths).is_hopeless(service_was_ready=was_ready) is hopeless
