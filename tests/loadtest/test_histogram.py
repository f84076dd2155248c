"""Times in buckets: how far off percentiles are, and that parts make a whole."""

import numpy as np
import pytest

from numbatch.loadtest.histogram import Histogram
from numbatch.loadtest.results import PERCENTILES, Distribution

TIMES = np.random.default_rng(1).lognormal(7, 1.5, 20_000)


def histogram(times: object) -> Histogram:
    made = Histogram()
    made.add(np.asarray(times, np.float64))
    return made


@pytest.mark.parametrize("q", PERCENTILES.values())
def test_a_percentile_is_at_most_half_a_per_cent_off(q: float) -> None:
    exact = float(np.quantile(TIMES, q, method="inverted_cdf"))
    assert histogram(TIMES).quantile(q) == pytest.approx(exact, rel=0.00501)


def test_number_mean_and_extremes_are_exact() -> None:
    found = histogram([3.0, 1.0, 8.0]).distribution()
    assert (found.count, found.mean, found.min, found.max) == (3, 4.0, 1.0, 8.0)


def test_one_time_is_every_percentile_of_itself() -> None:
    assert set(histogram([417.3]).distribution().percentiles.values()) == {417.3}


def test_of_none_all_is_0() -> None:
    assert histogram([]).distribution() == Distribution()


def test_parts_merged_are_the_whole() -> None:
    whole, parts = histogram(TIMES), Histogram()
    for part in np.array_split(TIMES, 7):
        parts.merge(histogram(part))
    assert parts.buckets() == whole.buckets()
    assert parts.distribution().percentiles == whole.distribution().percentiles


def test_it_survives_json() -> None:
    whole = histogram(TIMES)
    again = Histogram.from_json(whole.to_json())
    assert (again.buckets(), again.distribution()) == (whole.buckets(), whole.distribution())


@pytest.mark.parametrize("time_us", [0.0, 1e-9, 1e12])
def test_what_is_beyond_the_buckets_is_counted_and_kept_as_an_extreme(time_us: float) -> None:
    found = histogram([time_us])
    assert (found.distribution().max, sum(count for _, count in found.buckets())) == (time_us, 1)


def test_a_bucket_holds_what_is_at_most_its_bound() -> None:
    [(upper, count)] = histogram([1000.0, 1000.0]).buckets()
    assert (count, 1000.0 <= upper < 1010.01) == (2, True)
