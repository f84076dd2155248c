"""Two runs beside each other: what counts as worse, and what as chance."""

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from numbatch.loadtest.report import Change, Comparison, compare
from numbatch.loadtest.report.compare import judged
from numbatch.loadtest.report.compare_text import sentences
from numbatch.loadtest.report.statistics import Ratio, ratio, t_quantile
from numbatch.loadtest.results import Distribution, GeneratorLoad, Outcomes, Results, Search, Step
from support.load_results import open_step, results

STEP = open_step(100.0, seconds=1.0)
BOUND = GeneratorLoad(processes=1, cpu_share=[0.97], us_per_request=90.0, bound=True, reason="97 % of a processor")


def run(*p99s: float, rate: float = 1000.0, answered: float = 1000.0, **others: Any) -> Results:
    """Repeats of one load, by their p99."""
    return results([step(p99, repeat, rate=rate, requests_per_s=answered, **others) for repeat, p99 in enumerate(p99s)])


def step(p99: float, repeat: int, *, rate: float = 1000.0, **others: Any) -> Step:
    latency = Distribution(
        count=2000, mean=500.0, min=100.0, max=9000.0, percentiles={"p50": 400.0, "p90": 600.0, "p99": p99}
    )
    changes = {"latency_us": latency, "outcomes": Outcomes(ok=2000), "requests_per_s": 1000.0, **others}
    return replace(STEP, name=f"{rate:,g}/s", rate=rate, repeat=repeat, **changes)


def change_of(compared: Comparison, metric: str) -> Change:
    (found,) = (change for change in compared.changes if change.metric == metric)
    return found


def verdicts(compared: Comparison) -> dict[str, str]:
    return {change.metric: change.verdict for change in compared.changes}


def test_the_same_run_twice_holds_in_every_figure() -> None:
    same = run(1000.0, 1010.0, 990.0)
    compared = compare(same, same)
    assert verdicts(compared) == dict.fromkeys(("requests_per_s", "p50", "p90", "p99"), "held")
    assert (compared.verdict, compared.left_out, compared.notes) == ("held", (), ())


def test_what_is_surely_worse_has_regressed() -> None:
    compared = compare(run(1000.0, 1010.0, 990.0), run(1200.0, 1210.0, 1190.0), max_regress=0.05)
    change = change_of(compared, "p99")
    assert change.verdict == compared.verdict == "regressed"
    assert change.ratio is not None
    assert change.ratio.estimate == pytest.approx(1.2, rel=1e-3)
    assert change.ratio.low is not None
    assert change.ratio.low > 1.05
    assert sentences(compared) == [
        "REGRESSED: 1,000/s: p99 1.00 ms -> 1.20 ms (+20 %, interval +17 % to +23 %: it excludes the limit of 5 %)",
        "verdict: regressed: 1 of 4 figures by more than 5 %",
    ]


def test_the_same_change_in_noisier_runs_is_undecided() -> None:
    compared = compare(run(1000.0, 1300.0, 800.0), run(1200.0, 1500.0, 1000.0), max_regress=0.05)
    assert change_of(compared, "p99").verdict == compared.verdict == "undecided"
    assert "it includes the limit of 5 %" in sentences(compared)[0]


def test_the_limit_decides_how_much_is_too_much() -> None:
    runs = run(1000.0, 1010.0, 990.0), run(1200.0, 1210.0, 1190.0)
    assert compare(*runs, max_regress=0.30).verdict == "held"


def test_what_is_surely_better_has_improved() -> None:
    compared = compare(run(1200.0, 1210.0, 1190.0), run(1000.0, 1010.0, 990.0))
    assert change_of(compared, "p99").verdict == "improved"
    assert compared.verdict == "held"


def test_single_runs_are_compared_as_they_are_and_say_so() -> None:
    compared = compare(run(1000.0), run(1060.0), max_regress=0.05)
    assert change_of(compared, "p99").verdict == "regressed"
    assert "one run a side: no interval" in sentences(compared)[0]
    assert compared.notes == ("without repeats on both sides nothing tells chance from change: use --repeats 5",)
    assert compare(run(1000.0), run(1040.0), max_regress=0.05).verdict == "held"


def test_fewer_answers_are_worse_and_more_are_not() -> None:
    assert verdicts(compare(run(1.0, 1.0), run(1.0, 1.0, answered=900.0)))["requests_per_s"] == "regressed"
    assert verdicts(compare(run(1.0, 1.0), run(1.0, 1.0, answered=1100.0)))["requests_per_s"] == "improved"


def test_a_run_without_answers_has_regressed() -> None:
    silent = run(0.0, 0.0, answered=0.0, outcomes=Outcomes(unavailable=2000), latency_us=Distribution())
    compared = compare(run(1.0, 1.0), silent)
    assert verdicts(compared) == {"not ok": "regressed", "requests_per_s": "regressed"}
    assert compare(silent, silent).verdict == "held"
    json.dumps(compared.to_json(), allow_nan=False)


def test_wrong_answers_that_were_not_there_before_are_a_regression() -> None:
    wrong = run(1.0, 1.0, outcomes=Outcomes(ok=1999, mismatch=1))
    assert verdicts(compare(run(1.0, 1.0), wrong))["wrong answers"] == "regressed"
    assert verdicts(compare(wrong, wrong))["wrong answers"] == "held"


@pytest.mark.parametrize(("refused", "verdict"), [(1, "held"), (3, "regressed")])
def test_more_errors_than_one_in_a_thousand_are_a_regression(refused: int, verdict: str) -> None:
    after = run(1.0, 1.0, outcomes=Outcomes(ok=2000 - refused, refused=refused))
    assert verdicts(compare(run(1.0, 1.0), after))["not ok"] == verdict
    assert verdicts(compare(run(1.0, 1.0), after, max_more_errors=0.01))["not ok"] == "held"


def test_a_steady_state_that_is_lost_is_a_regression_and_its_latencies_say_nothing() -> None:
    compared = compare(run(1.0, 1.0), run(9.0, 9.0, unstable="the backlog grew"))
    assert verdicts(compared) == {"requests_per_s": "held", "steady state": "regressed"}


def test_a_load_that_the_generator_bound_is_left_out() -> None:
    bound = replace(run(1.0, 1.0), steps=[*run(9.0, 9.0, generator=BOUND).steps, *run(1.0, rate=2000.0).steps])
    before = replace(run(1.0, 1.0), steps=[*run(1.0, 1.0).steps, *run(1.0, rate=2000.0).steps])
    compared = compare(before, bound)
    assert {change.load for change in compared.changes} == {"2,000/s"}
    assert compared.left_out == ("1,000/s: the generator was the bottleneck (second run: 97 % of a processor)",)


def test_only_loads_that_both_have_are_compared() -> None:
    with pytest.raises(
        ValueError, match=r"no load in common .*; 1,000/s: only in the first run; 2,000/s: only in the sec"
    ):
        compare(run(1.0), run(1.0, rate=2000.0))


def test_a_percentile_of_a_few_requests_is_not_compared() -> None:
    few = Distribution(count=900, mean=1.0, min=1.0, max=1.0, percentiles={"p50": 1.0, "p90": 1.0, "p99": 1.0})
    assert "p99" not in verdicts(compare(run(1.0), run(9.0, latency_us=few)))


def test_the_highest_rates_of_two_searches_are_compared() -> None:
    def found(max_rate: float) -> Results:
        return replace(run(1.0), search=Search(objective="p99<10ms", max_rate=max_rate, trials=[]))

    assert verdicts(compare(found(4000.0), found(3000.0)))["highest rate"] == "regressed"
    assert verdicts(compare(found(4000.0), found(0.0)))["highest rate"] == "regressed"
    assert verdicts(compare(found(4000.0), found(3900.0)))["highest rate"] == "held"
    assert "highest rate" not in verdicts(compare(found(0.0), found(3900.0)))


def test_it_says_what_else_differs() -> None:
    before = run(1.0, 1.0)
    after = replace(
        before,
        server=replace(before.server, instruction_set="avx2", version=2),
        environment=replace(before.environment, cores=8, versions={**before.environment.versions, "grpcio": "1.80.0"}),
        verdict="unstable",
        reason="the backlog grew",
    )
    assert compare(before, after).notes == (
        "model: digits/1, then digits/2",
        "instruction set: avx512, then avx2",
        "generator's processors: 2, then 8",
        "grpcio: 1.75.1, then 1.80.0",
        "the second run ended with unstable: the backlog grew",
    )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (Ratio(1.20, 1.10, 1.30), "regressed"),  # all of it beyond the limit of 1.05
        (Ratio(1.20, 1.04, 1.40), "undecided"),
        (Ratio(1.00, 0.90, 1.10), "undecided"),  # nothing happened, as far as one can see, and one cannot see far
        (Ratio(1.00, 0.97, 1.04), "held"),
        (Ratio(0.80, 0.70, 0.90), "improved"),
        (Ratio(0.97, 0.95, 0.99), "held"),  # better, but not by more than the limit
    ],
)
def test_an_interval_is_on_one_side_of_the_limit_or_undecided(found: Ratio, verdict: str) -> None:
    assert judged(found, 1.05) == verdict
    assert found.low is not None
    assert found.high is not None
    mirrored = Ratio(1 / found.estimate, 1 / found.high, 1 / found.low)
    assert judged(mirrored, 1.05, higher_is_better=True) == verdict


@pytest.mark.parametrize(
    ("freedom", "quantile"),
    [(1.0, 12.7062), (2.0, 4.3027), (2.5, 3.5747), (4.0, 2.7764), (30.0, 2.0423), (1e6, 1.95997)],  # tables
)
def test_quantiles_are_students(freedom: float, quantile: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(quantile, rel=1e-4)


@pytest.mark.parametrize("runs", [2, 3, 5])
def test_an_interval_holds_the_truth_about_as_often_as_it_says(runs: int) -> None:
    rng = np.random.default_rng(runs)
    held = 0
    for _ in range(400):
        found = ratio(np.exp(rng.normal(0, 0.1, runs)).tolist(), np.exp(rng.normal(math.log(1.3), 0.1, runs)).tolist())
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1.3 <= found.high
    assert 0.92 <= held / 400 <= 0.995


def test_runs_without_any_spread_have_an_interval_of_no_width() -> None:
    found = ratio([2.0, 2.0], [3.0, 3.0])
    assert (found.estimate, found.low, found.high) == pytest.approx((1.5, 1.5, 1.5))
