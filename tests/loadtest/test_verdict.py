"""What a run comes to, and when its figures are not the server's."""

import pytest

from numbatch.loadtest.bottleneck import bottleneck, may_be_the_generators
from numbatch.loadtest.objective import Condition
from numbatch.loadtest.results import Assertion, Distribution, GeneratorLoad, Outcomes, Search, Step
from numbatch.loadtest.verdict import backlog_problem, verdict
from support.load_steps import step

FINE = step()
WRONG = step(outcomes=Outcomes(ok=998, mismatch=2))
BOUND = step(generator=GeneratorLoad(processes=1, cpu_share=[0.95], us_per_request=1.0, bound=True, reason="busy"))
UNSTABLE = step(unstable="too much")
SILENT = step(outcomes=Outcomes(unavailable=1000), errors={"UNAVAILABLE: gone": 1000})
HELD = Assertion(text="p99<1s", value=1.0, passed=True)
FAILED = Assertion(text="p99<1us", value=1.0, passed=False)
FOUND = Search(objective="p99<1s", max_rate=400.0, trials=[])
NOT_FOUND = Search(objective="p99<1s", max_rate=0.0, trials=[])


@pytest.mark.parametrize(
    ("steps", "assertions", "search", "search_bound", "expected"),
    [
        ([FINE], [HELD], None, "", ("ok", "")),
        ([FINE], [HELD, FAILED], None, "", ("assertion", "does not hold: p99<1us")),
        # What makes figures worthless comes before what they say; wrong answers before all.
        ([FINE, UNSTABLE], [FAILED], None, "", ("unstable", "500/s: too much")),
        ([UNSTABLE, BOUND], [FAILED], None, "", ("generator_bound", "500/s: busy")),
        ([BOUND, WRONG], [], None, "", ("mismatch", "2 wrong answers")),
        # Nothing was asked for, but nothing came either.
        ([SILENT], [], None, "", ("assertion", "500/s: no request was answered rightly: UNAVAILABLE: gone")),
        # A search goes where it must fail.
        ([FINE, UNSTABLE, BOUND, SILENT], [], FOUND, "", ("ok", "")),
        ([FINE], [], NOT_FOUND, "", ("assertion", "p99<1s holds at no rate that was tried")),
        ([FINE], [], FOUND, "busy", ("generator_bound", "what failed above 400/s may be the generator: busy")),
        ([WRONG], [], FOUND, "", ("mismatch", "2 wrong answers")),
    ],
)
def test_verdicts(
    steps: list[Step],
    assertions: list[Assertion],
    search: Search | None,
    search_bound: str,
    expected: tuple[str, str],
) -> None:
    assert verdict(steps, assertions, search, search_bound) == expected


def spread(p50: float = 0.0, p99: float = 0.0) -> Distribution:
    percentiles = dict.fromkeys(("p90", "p95", "p99.9", "p99.99"), 0.0) | {"p50": p50, "p99": p99}
    return Distribution(count=1000, percentiles=percentiles)


@pytest.mark.parametrize(
    ("lag_p99_us", "latency_p50_us", "cpu_share", "reason"),
    [
        (900.0, 500.0, [0.5], ""),
        (1_500.0, 500.0, [0.5], "1 in 100 requests was sent 1.5 ms late or more, of a median latency of 0.5 ms"),
        (1_500.0, 20_000.0, [0.5], ""),  # a tenth of the median is 2 ms
        (2_500.0, 20_000.0, [0.5], "1 in 100 requests was sent 2.5 ms late or more, of a median latency of 20.0 ms"),
        (0.0, 500.0, [0.5, 0.95], "a generator process was busy 95% of the time"),
        (0.0, 0.0, [], ""),
    ],
)
def test_a_generator_that_is_late_or_busy_is_the_bottleneck(
    lag_p99_us: float, latency_p50_us: float, cpu_share: list[float], reason: str
) -> None:
    found = bottleneck(spread(p99=lag_p99_us), spread(p50=latency_p50_us), cpu_share)
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


def test_one_late_request_of_few_is_no_bottleneck() -> None:
    few = Distribution(count=20, percentiles=spread(p99=5_000.0).percentiles)
    assert bottleneck(few, spread(p50=500.0), [0.5]) == ""


@pytest.mark.parametrize(
    ("sent", "backlog", "overrun", "begins"),
    [
        (1000, 50, False, ""),
        (1000, 51, False, "51 of 1,000 requests more waited at the end"),
        (100, 20, False, ""),  # a hiccup at the end of a short run
        (1000, -30, False, ""),  # the warm-up had more to wait for
        (1000, 0, True, "given up, as 500 requests waited"),
    ],
)
def test_more_asked_than_answered_is_no_steady_state(sent: int, backlog: int, overrun: bool, begins: str) -> None:
    found = backlog_problem(sent, backlog, overrun, 500)
    assert found.startswith(begins)
    assert bool(found) == bool(begins)


@pytest.mark.parametrize(
    ("service_p99_us", "cpu_share", "bound", "expected"),
    [
        (9_000.0, 0.5, True, True),  # by the time of sending it would have held
        (11_000.0, 0.5, True, False),  # not even then
        (11_000.0, 0.95, True, True),  # but a busy generator sees answers late as well
        (9_000.0, 0.5, False, False),  # the generator was in time
    ],
)
def test_whose_fault_a_missed_goal_is(service_p99_us: float, cpu_share: float, bound: bool, expected: bool) -> None:
    missed = step(
        latency_us=spread(p99=12_000.0),
        service_us=spread(p99=service_p99_us),
        generator=GeneratorLoad(processes=1, cpu_share=[cpu_share], us_per_request=1.0, bound=bound),
    )
    goals = [Condition.parse("p99<10ms"), Condition.parse("errors<0.1%")]
    assert may_be_the_generators(missed, goals) is expected
