"""What /metrics says at one moment, and the difference of two such moments."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
Series = Mapping[Labels, float]

# Every numbatch server says it.
_MARK = "numbatch_build_info"


@dataclass(frozen=True)
class Scrape:
    """All samples, by name and labels.

    Attributes
    ----------
    at_s : float
        When it was made, on a clock of whoever made it.
    samples : mapping
        The values by name, then by labels in alphabetical order.
    """

    at_s: float
    samples: Mapping[str, Series]

    def series(self, name: str) -> Series:
        """Return the values of a name; none if there is none."""
        return self.samples.get(name, {})

    def total(self, name: str) -> float:
        """Return the sum of a name's values."""
        return math.fsum(self.series(name).values())


def parse(text: str, at_s: float) -> Scrape:
    """Read Prometheus' text format.

    Raises
    ------
    ValueError
        If it is not that, or not of a numbatch server.
    """
    samples: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    if _MARK not in samples:
        raise ValueError(f"there is no {_MARK} in it")
    return Scrape(at_s, samples)


def increase(before: Scrape, after: Scrape, name: str) -> dict[Labels, float]:
    """Return by how much each series of a counter grew; one that fell began anew, with its process."""
    earlier = before.series(name)
    return {
        labels: value - (start if (start := earlier.get(labels, 0.0)) <= value else 0.0)
        for labels, value in after.series(name).items()
    }


def sum_by(series: Series, *names: str) -> dict[tuple[str, ...], float]:
    """Add up series that have the same values of some labels."""
    sums: dict[tuple[str, ...], float] = {}
    for labels, value in series.items():
        known = dict(labels)
        key = tuple(known.get(name, "") for name in names)
        sums[key] = sums.get(key, 0.0) + value
    return sums


def quantile(q: float, buckets: Iterable[tuple[float, float]]) -> float | None:
    """Return a quantile of a histogram, as Prometheus' histogram_quantile does: linear inside a bucket.

    Parameters
    ----------
    q : float
        0 to 1.
    buckets : iterable of (float, float)
        Upper bounds, +Inf among them, and the number of observations up to each; in any order.

    Returns
    -------
    float or None
        None without observations; in the last bucket, its lower bound.
    """
    ordered = sorted(buckets)
    if not ordered or ordered[-1][1] <= 0:
        return None
    rank = q * ordered[-1][1]
    lower, below = 0.0, 0.0
    for upper, count in ordered:
        if count >= rank and count > below:
            if math.isinf(upper):
                return lower
            return lower + (upper - lower) * (rank - below) / (count - below)
        lower, below = upper, count
    return lower
