"""Repeats of a load together, in the order of the load, and the knee of them all."""

from dataclasses import replace

import pytest

from numbatch.loadtest.report.levels import Level, bucket_ratio, cumulative, knee_of, levels_of, rebinned
from numbatch.loadtest.results import Distribution, GeneratorLoad, Outcomes, Step
from support.load_results import closed_step, open_step

STEP = open_step(100.0, seconds=1.0)


def at(rate: float, mean_us: float, *, answered: float | None = None, repeat: int = 0, **others: object) -> Step:
    latency = Distribution(count=1000, mean=mean_us, min=1.0, max=mean_us * 9, percentiles={"p50": mean_us})
    step = replace(STEP, name=f"{rate:g}/s", rate=rate, repeat=repeat, latency_us=latency, unstable="")
    return replace(step, requests_per_s=rate if answered is None else answered, outcomes=Outcomes(ok=1000), **others)  # type: ignore[arg-type]


def test_repeats_are_one_load_and_loads_are_in_order() -> None:
    steps = [at(rate, 10.0 * repeat, repeat=repeat) for rate in (3000, 1000) for repeat in (1, 2, 3)]
    levels = levels_of(steps)
    assert [(level.name, len(level.steps)) for level in levels] == [("1000/s", 3), ("3000/s", 3)]
    assert levels[0].mean_us == 20.0  # the median
    assert levels[0].outcomes == Outcomes(ok=3000)


def test_scenarios_that_are_mixed_stay_in_the_order_in_which_they_ran() -> None:
    levels = levels_of([at(3000, 1.0), closed_step(4, seconds=1.0), at(1000, 1.0)])
    assert [level.name for level in levels] == ["3000/s", "concurrency 4", "1000/s"]


def test_the_knee_is_the_load_with_the_most_answers_by_latency() -> None:
    knee = knee_of(levels_of([at(1000, 500), at(2000, 520), at(3000, 700), at(4000, 2000), at(5000, 9000)]))
    assert knee is not None
    assert (knee.level.name, knee.is_last) == ("3000/s", False)


def test_a_knee_that_may_be_beyond_the_last_load_says_so() -> None:
    knee = knee_of(levels_of([at(1000 * n, 500) for n in range(1, 6)]))
    assert knee is not None
    assert (knee.level.name, knee.is_last) == ("5000/s", True)


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [at(1000, 500), at(2000, 500), at(3000, 5000)],  # too few to be a curve
        [at(1000, 500), at(2000, 5000), at(3000, 9000), at(4000, 20_000)],  # beyond it from the beginning
        [at(n, 500, answered=0.0) for n in (1, 2)],
    ],
)
def test_there_is_not_always_a_knee(steps: list[Step]) -> None:
    assert knee_of(levels_of(steps)) is None


def test_loads_that_say_nothing_of_the_server_have_no_knee() -> None:
    bound = GeneratorLoad(processes=1, cpu_share=[0.97], us_per_request=90.0, bound=True, reason="97 %")
    steps = [at(1000, 500), at(2000, 520), at(3000, 700), at(4000, 2000), at(5000, 400, generator=bound)]
    knee = knee_of(levels_of(steps))
    assert knee is not None
    assert knee.level.name == "3000/s"


def test_a_percentile_is_firm_if_ten_requests_of_each_run_were_slower() -> None:
    assert Level((replace(STEP, latency_us=Distribution(count=1000)),)).is_firm("p99")
    assert not Level((replace(STEP, latency_us=Distribution(count=999)),)).is_firm("p99")


def test_histograms_of_repeats_are_added() -> None:
    steps = [replace(STEP, histogram=[(10.0, 1), (20.0, 2)]), replace(STEP, histogram=[(5.0, 4), (20.0, 3)])]
    (level,) = levels_of(steps)
    assert level.histogram == [(5.0, 4), (10.0, 1), (20.0, 5)]
    assert cumulative(level.histogram) == [(0.4, 5.0), (0.5, 10.0), (1.0, 20.0)]


def test_other_bins_count_the_same_requests() -> None:
    (level,) = levels_of([open_step(500, seconds=4.0)])
    edges = [10.0 * 1.07**n for n in range(200)]
    bins = rebinned(level.histogram, edges)
    assert sum(bins) == pytest.approx(level.outcomes.ok)
    assert bucket_ratio(level.histogram) == pytest.approx(1.01)
    # Nothing is moved by more than a bucket.
    assert all(count == 0 for edge, count in zip(edges[1:], bins, strict=False) if edge < level.histogram[0][0] / 1.02)
