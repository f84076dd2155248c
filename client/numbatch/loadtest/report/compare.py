"""Two runs beside each other: what became worse, by how much, and whether that is more than chance. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import geometric_mean
from typing import Any, Literal

from numbatch.loadtest.report import quantities
from numbatch.loadtest.report.levels import Level, levels_of, load_of
from numbatch.loadtest.report.statistics import Ratio, ratio
from numbatch.loadtest.report.story import model
from numbatch.loadtest.results import Results, Step

# How much worse a figure may be, and by how much the share of requests that are not ok may grow, unless one says so.
MAX_REGRESS = 0.05
MAX_MORE_ERRORS = 0.001

Verdict = Literal["regressed", "undecided", "held", "improved"]

_LATENCIES = ("p50", "p90", "p99", "p99.9")
_REPEATED = ("requests_per_s", *_LATENCIES)


@dataclass(frozen=True)
class Change:
    """What became of one figure at one load.

    Attributes
    ----------
    load : str
        Such as "500/s".
    metric : str
        "requests_per_s", "p50", "p90", "p99", "p99.9", "not ok", "wrong answers", "steady state" or "highest rate".
    before, after : float
        Of the runs of each side, the geometric mean of times and rates, whose ratio `ratio` is; else a share or count.
    ratio : Ratio or None
        What the figure has become, with an interval if both sides have several runs; None for shares and counts.
    verdict : str
        "regressed": all of the interval is beyond the limit. "undecided": the limit is inside it. "held": all of it is
        within. "improved": all of it is as far on the other side. Without an interval, the estimate decides.
    """

    load: str
    metric: str
    before: float
    after: float
    ratio: Ratio | None
    verdict: Verdict

    @property
    def is_time(self) -> bool:
        """Whether its figures are microseconds."""
        return self.metric in _LATENCIES

    @property
    def higher_is_better(self) -> bool:
        """Whether its figures are rates."""
        return self.metric in ("requests_per_s", "highest rate")


@dataclass(frozen=True)
class Comparison:
    """Two runs beside each other.

    Attributes
    ----------
    max_regress, max_more_errors : float
        The limits.
    changes : tuple of Change
        By load, in the order of the loads.
    left_out : tuple of str
        What was not compared, and why.
    notes : tuple of str
        What differs between the runs beside their figures.
    """

    max_regress: float
    max_more_errors: float
    changes: tuple[Change, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst verdict of all figures; "held" where none is worse than that."""
        found = {change.verdict for change in self.changes}
        worst: Sequence[Verdict] = ("regressed", "undecided")
        return next((verdict for verdict in worst if verdict in found), "held")

    def to_json(self) -> dict[str, Any]:
        """Return what JSON takes."""
        return {**asdict(self), "verdict": self.verdict}


def compare(
    before: Results,
    after: Results,
    *,
    max_regress: float = MAX_REGRESS,
    max_more_errors: float = MAX_MORE_ERRORS,
) -> Comparison:
    """Compare two runs, load by load.

    Parameters
    ----------
    before, after : Results
        The runs.
    max_regress : float
        How much worse a latency or a rate may be: 0.05 is 5 %.
    max_more_errors : float
        How much the share of requests that are not ok may grow: 0.001 is one request more of 1000.

    Returns
    -------
    Comparison
        With a `Change` for every figure of every load that both have.

    Raises
    ------
    ValueError
        They have no load in common that tells of the server.
    """
    old = {load_of(level.first): level for level in levels_of(before.steps)}
    new = {load_of(level.first): level for level in levels_of(after.steps)}
    changes: list[Change] = []
    left_out = []
    for which, own, other in (("first", old, new), ("second", new, old)):
        alone = [level.name for key, level in own.items() if key not in other]
        left_out += [f"{', '.join(alone)}: only in the {which} run"] if alone else []
    for key, level in old.items():
        if key not in new:
            continue
        bound = [f"{name} run: {side.bound}" for name, side in (("first", level), ("second", new[key])) if side.bound]
        if bound:
            left_out.append(f"{level.name}: the generator was the bottleneck ({'; '.join(bound)})")
        else:
            changes += _changes(level, new[key], 1 + max_regress, max_more_errors)
    changes += _search(before, after, 1 + max_regress)
    if not changes:
        raise ValueError("; ".join(["the two runs have no load in common that tells of the server", *left_out]))
    return Comparison(
        max_regress, max_more_errors, tuple(changes), tuple(left_out), (*_chance(changes), *_notes(before, after))
    )


def _changes(before: Level, after: Level, limit: float, max_more_errors: float) -> list[Change]:
    changes = []
    if after.outcomes.mismatch:
        verdict: Verdict = "held" if before.outcomes.mismatch else "regressed"
        counts = float(before.outcomes.mismatch), float(after.outcomes.mismatch)
        changes.append(Change(before.name, "wrong answers", *counts, None, verdict))
    shares = before.error_share, after.error_share
    if any(shares):
        more = shares[1] - shares[0]
        verdict = "regressed" if more > max_more_errors else "improved" if -more > max_more_errors else "held"
        changes.append(Change(before.name, "not ok", *shares, None, verdict))
    changes += _figure(before, after, "requests_per_s", lambda step: step.requests_per_s, limit, higher_is_better=True)
    if bool(before.unstable) != bool(after.unstable):
        verdict = "regressed" if after.unstable else "improved"
        states = float(not before.unstable), float(not after.unstable)
        changes.append(Change(before.name, "steady state", *states, None, verdict))
    if before.unstable or after.unstable:
        return changes  # such latencies grow with the duration
    for name in _LATENCIES:
        if before.is_firm(name) and after.is_firm(name):
            changes += _figure(before, after, name, _latency(name), limit)
    return changes


def _latency(name: str) -> Callable[[Step], float]:
    return lambda step: step.latency_us.percentiles[name]


def _figure(
    before: Level,
    after: Level,
    metric: str,
    figure: Callable[[Step], float],
    limit: float,
    higher_is_better: bool = False,
) -> list[Change]:
    sides = [[figure(step) for step in level.steps] for level in (before, after)]
    if not min(sides[0]) > 0:
        return []  # nothing was answered: there is nothing to keep
    if not min(sides[1]) > 0:
        return [Change(before.name, metric, geometric_mean(sides[0]), 0.0, None, "regressed")]
    found = ratio(*sides)
    means = geometric_mean(sides[0]), geometric_mean(sides[1])
    return [Change(before.name, metric, *means, found, judged(found, limit, higher_is_better))]


def judged(found: Ratio, limit: float, higher_is_better: bool = False) -> Verdict:
    """Return what a ratio says about a limit; `limit` is how many times worse a figure may be."""
    low = found.estimate if found.low is None else found.low
    high = found.estimate if found.high is None else found.high
    if higher_is_better:
        low, high = 1 / high, 1 / low
    if low > limit:
        return "regressed"
    if high > limit:
        return "undecided"
    return "improved" if high < 1 / limit else "held"


def _search(before: Results, after: Results, limit: float) -> list[Change]:
    old, new = before.search, after.search
    if not old or not new or old.objective != new.objective or not old.max_rate:
        return []
    found = ratio([old.max_rate], [new.max_rate]) if new.max_rate else None
    verdict = judged(found, limit, higher_is_better=True) if found else "regressed"
    return [Change(f"search {old.objective}", "highest rate", old.max_rate, new.max_rate, found, verdict)]


def _chance(changes: Sequence[Change]) -> list[str]:
    alone = any(change.ratio and change.ratio.low is None and change.metric in _REPEATED for change in changes)
    return ["without repeats on both sides nothing tells chance from change: use --repeats 5"] if alone else []


def _notes(before: Results, after: Results) -> list[str]:
    """Return what differs between two runs that may explain what became of their figures."""
    facts: list[tuple[str, Callable[[Results], object]]] = [
        ("model", lambda run: model(run.server)),
        ("server's numbatch", lambda run: run.server.numbatch),
        ("instruction set", lambda run: run.server.instruction_set),
        ("weights", lambda run: run.server.weights_precision),
        ("workers", lambda run: run.server.workers),
        ("generator's processor", lambda run: run.environment.cpu),
        ("generator's processors", lambda run: run.environment.cores),
        ("platform", lambda run: run.environment.platform),
        ("Python", lambda run: run.environment.python),
        *((name, _version(name)) for name in sorted({*before.environment.versions, *after.environment.versions})),
        ("duration", lambda run: _span(run, "duration_s")),
        ("warm-up", lambda run: _span(run, "warmup_s")),
    ]
    notes = [f"{name}: {fact(before)}, then {fact(after)}" for name, fact in facts if fact(before) != fact(after)]
    for name, run in (("first", before), ("second", after)):
        if run.verdict not in ("ok", "assertion"):
            notes.append(f"the {name} run ended with {run.verdict}: {run.reason}")
    return notes


def _version(name: str) -> Callable[[Results], str]:
    return lambda run: run.environment.versions.get(name, "none")


def _span(run: Results, name: str) -> str:
    return " and ".join(sorted({quantities.seconds(getattr(step, name)) for step in run.steps}))
