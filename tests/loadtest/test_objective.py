"""Conditions: what they say, and what they say of a step."""

from dataclasses import replace

import pytest

from numbatch.loadtest.objective import Condition
from numbatch.loadtest.results import Assertion, Distribution, Outcomes, Step
from support.load_steps import step

TIMES = Distribution(
    count=1000,
    mean=5_000.0,
    min=1_000.0,
    max=20_000.0,
    percentiles={"p50": 4e3, "p90": 6e3, "p95": 7e3, "p99": 9e3, "p99.9": 15e3, "p99.99": 20e3},
)
STEP = step(
    latency_us=TIMES,
    service_us=replace(TIMES, percentiles={**TIMES.percentiles, "p99": 8e3}),
    sent=1000,
    outcomes=Outcomes(ok=990, refused=8, mismatch=2),
    requests_per_s=99.0,
    rows_per_s=51_000.0,
)


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("p99<10ms", 9_000.0, True),
        ("p99 <= 9ms", 9_000.0, True),
        ("p99<9000us", 9_000.0, False),
        ("p99.9<0.01s", 15_000.0, False),
        ("mean<5.5ms", 5_000.0, True),
        ("max<1s", 20_000.0, True),
        ("service_p99<8.5ms", 8_000.0, True),
        ("errors==0", 10.0, False),
        ("errors<=1%", 0.01, True),
        ("refused<1%", 0.008, True),
        ("mismatch==0", 2.0, False),
        ("failed==0", 0.0, True),
        ("rows_per_s>50k", 51_000.0, True),
        ("requests_per_s>=100", 99.0, False),
    ],
)
def test_conditions(text: str, value: float, holds: bool) -> None:
    condition = Condition.parse(text)
    found = condition.value(STEP)
    assert found == pytest.approx(value)
    assert condition.holds(found) is holds


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("fast", "expected a condition such as p99<10ms"),
        ("p99=10ms", "expected a condition"),
        ("p98<10ms", "got 'p98' in 'p98<10ms', expected one of p50, "),
        ("p99<10", "expected a time in us, ms or s"),
        ("p99<10%", "expected a time"),
        ("errors<10ms", "expected a number, or a share of all requests in %"),
        ("rows_per_s>10%", "expected a number"),
        ("p99<1.2.3ms", "'1.2.3' is not a number"),
    ],
)
def test_what_is_no_condition_is_refused_with_what_is(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match="got ") as refused:
        Condition.parse(text)
    assert problem in str(refused.value)


def test_a_condition_holds_in_all_steps_or_not_at_all() -> None:
    slow = replace(STEP, latency_us=replace(TIMES, percentiles={**TIMES.percentiles, "p99": 12e3}))
    condition = Condition.parse("p99<10ms")
    assert condition.judge([STEP]) == Assertion(text="p99<10ms", value=9e3, passed=True)
    assert condition.judge([slow, STEP]) == Assertion(text="p99<10ms", value=12e3, passed=False)


def test_the_worst_of_what_should_be_much_is_the_least() -> None:
    condition = Condition.parse("rows_per_s>50k")
    assert condition.judge([STEP, replace(STEP, rows_per_s=6e4)]).value == 51_000.0


@pytest.mark.parametrize("steps", [[], [replace(STEP, latency_us=Distribution())]], ids=["no step", "no answer"])
def test_where_nothing_was_answered_no_time_holds(steps: list[Step]) -> None:
    assert Condition.parse("p99<10ms").judge(steps) == Assertion(text="p99<10ms", value=None, passed=False)


@pytest.mark.parametrize(("text", "share"), [("p99<1s", 0.01), ("service_p99.9<1s", 0.001), ("errors==0", 1.0)])
def test_how_rare_what_it_looks_at_is(text: str, share: float) -> None:
    assert Condition.parse(text).share_beyond == pytest.approx(share)
