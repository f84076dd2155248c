"""The steps of a run by load: repeats of one load together, the lightest load first, and where the knee is. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean, median

from numbatch.loadtest.results import PERCENTILES, Outcomes, ServerSide, Step

# Fewer loads make no curve to have a knee.
_ENOUGH_LEVELS = 4
# So many requests slower than a percentile make it more than an anecdote.
FIRM_SAMPLES = 10


@dataclass(frozen=True)
class Level:
    """All runs at one load.

    Attributes
    ----------
    steps : tuple of Step
        One at least.
    """

    steps: tuple[Step, ...]

    @property
    def name(self) -> str:
        """What the load is called, such as "500/s"."""
        return self.steps[0].name

    @property
    def first(self) -> Step:
        """The first run: all have its scenario, rate, concurrency, window and rows."""
        return self.steps[0]

    @property
    def load(self) -> float:
        """The rate, or else how many at once."""
        step = self.first
        return step.rate if step.rate is not None else float((step.concurrency or 1) * (step.window or 1))

    @cached_property
    def outcomes(self) -> Outcomes:
        """The outcomes of all runs."""
        names = ("ok", "refused", "deadline", "unavailable", "mismatch", "failed")
        return Outcomes(**{name: sum(getattr(step.outcomes, name) for step in self.steps) for name in names})

    @property
    def error_share(self) -> float:
        """Which share of all requests is not ok: 0 to 1."""
        return self.outcomes.errors / max(self.outcomes.total, 1)

    @property
    def requests_per_s(self) -> float:
        """Right answers a second: the median of the runs."""
        return median(step.requests_per_s for step in self.steps)

    @property
    def rows_per_s(self) -> float:
        """Rows a second: the median of the runs."""
        return median(step.rows_per_s for step in self.steps)

    @property
    def mean_us(self) -> float:
        """The mean latency: the median of the runs."""
        return median(step.latency_us.mean for step in self.steps)

    @property
    def max_us(self) -> float:
        """The longest latency of all runs."""
        return max(step.latency_us.max for step in self.steps)

    def percentile(self, name: str) -> float:
        """Return a percentile of the latency: the median of the runs; 0 where nothing was answered."""
        return median(step.latency_us.percentiles.get(name, 0.0) for step in self.steps)

    def service_percentile(self, name: str) -> float:
        """Return a percentile of the service time: the median of the runs."""
        return median(step.service_us.percentiles.get(name, 0.0) for step in self.steps)

    def is_firm(self, name: str) -> bool:
        """Return whether enough requests of each run were slower than a percentile to rely on it."""
        beyond = 1 - PERCENTILES[name]
        return all(step.latency_us.count * beyond >= FIRM_SAMPLES * (1 - 1e-9) for step in self.steps)

    @cached_property
    def histogram(self) -> list[tuple[float, int]]:
        """The latencies of all runs, counted by the upper ends of buckets."""
        counts: dict[float, int] = {}
        for step in self.steps:
            for upper, count in step.histogram:
                counts[upper] = counts.get(upper, 0) + count
        return sorted((upper, count) for upper, count in counts.items() if count)

    @cached_property
    def server_side(self) -> ServerSide | None:
        """Where the time went on the server: the means of the runs that know."""
        known = [step.server_side for step in self.steps if step.server_side]
        if not known:
            return None
        rows = [side.batch_rows for side in known if side.batch_rows is not None]
        return replace(
            known[0],
            queue_us=fmean(side.queue_us for side in known),
            compute_us=fmean(side.compute_us for side in known),
            overhead_us=fmean(side.overhead_us for side in known),
            batch_rows=fmean(rows) if rows else None,
        )

    @property
    def before_sending_us(self) -> float:
        """How long requests waited for the generator on average: the latency less the service time."""
        return max(0.0, fmean(step.latency_us.mean - step.service_us.mean for step in self.steps))

    @property
    def bound(self) -> str:
        """Why the generator was the bottleneck of a run; empty if it was of none."""
        reasons = [step.generator.reason or "yes" for step in self.steps if step.generator.bound]
        return reasons[0] if reasons else ""

    @property
    def unstable(self) -> str:
        """Why a run has no steady state; empty if all have."""
        return next((step.unstable for step in self.steps if step.unstable), "")


def levels_of(steps: Sequence[Step]) -> list[Level]:
    """Return the runs by load: in the order of the load if one scenario ran, else as they ran."""
    groups: dict[tuple[object, ...], list[Step]] = {}
    for step in steps:
        groups.setdefault(load_of(step), []).append(step)
    levels = [Level(tuple(group)) for group in groups.values()]
    kinds = {(level.first.scenario, level.first.rate is None, level.first.rows_per_message) for level in levels}
    return sorted(levels, key=lambda level: level.load) if len(kinds) == 1 else levels


def load_of(step: Step) -> tuple[object, ...]:
    """Return what repeats of a step have in common, and no other steps."""
    return (step.name, step.scenario, step.rate, step.concurrency, step.window, step.rows_per_message)


@dataclass(frozen=True)
class Knee:
    """The load from which on more of it costs more latency than it brings answers.

    Attributes
    ----------
    level : Level
        The load at which answers a second by their mean latency are most (Kleinrock's power).
    is_last : bool
        Whether it is the highest load that was tried, so that the true knee may be beyond.
    """

    level: Level
    is_last: bool


def knee_of(levels: Sequence[Level]) -> Knee | None:
    """Find the knee, if there are loads enough for a curve, and the lightest is not beyond it already.

    Loads that say nothing of the server are left out.
    """
    telling = [level for level in levels if level.outcomes.ok and level.mean_us > 0 and not level.bound]
    scenarios = {level.first.scenario for level in telling}
    if len(telling) < _ENOUGH_LEVELS or len(scenarios) > 1:
        return None
    best = max(telling, key=lambda level: level.requests_per_s / level.mean_us)
    return None if best is telling[0] else Knee(best, best is telling[-1])


def cumulative(histogram: Sequence[tuple[float, int]]) -> list[tuple[float, float]]:
    """Return (share of requests that took at most so long, how long) for each bucket."""
    total = sum(count for _, count in histogram)
    curve, seen = [], 0
    for upper, count in histogram:
        seen += count
        curve.append((seen / total, upper))
    return curve


def bucket_ratio(histogram: Sequence[tuple[float, int]]) -> float:
    """Return the ratio of a bucket's ends, as far as neighbouring buckets show it: empty ones are left out of JSON."""
    uppers = [upper for upper, _ in histogram if upper > 0]
    ratios = [b / a for a, b in zip(uppers, uppers[1:], strict=False) if b > a]
    return min([*ratios, 1.02])


def rebinned(histogram: Sequence[tuple[float, int]], edges: Sequence[float]) -> list[float]:
    """Return how many fall between neighbouring edges; a bucket across an edge is split, evenly on a log axis.

    Parameters
    ----------
    histogram : sequence of (float, int)
        Upper ends of buckets and their counts.
    edges : sequence of float
        Ascending, in equal ratios, around all of the buckets.
    """
    bins = [0.0] * (len(edges) - 1)
    first, width = math.log(edges[0]), math.log(edges[1] / edges[0])
    bucket = math.log(bucket_ratio(histogram))
    for upper, count in histogram:
        high = (math.log(max(upper, edges[0])) - first) / width
        low = high - bucket / width
        for place in range(max(0, math.floor(low)), min(len(bins) - 1, math.floor(high)) + 1):
            bins[place] += count * max(0.0, min(high, place + 1) - max(low, place)) / (high - low)
    return bins
