"""The end of the page: how it was measured, where, and with which settings."""

from collections.abc import Sequence
from shlex import join
from typing import Any

from numbatch.loadtest.report import quantities, story
from numbatch.loadtest.report.levels import Level
from numbatch.loadtest.report.markup import Child, Markup, joined, tag
from numbatch.loadtest.results import Results

_COUNTED = (
    "Only answers that are ok count in latencies and rates; what was refused, late, wrong or lost is counted apart, "
    "and is never left out of the number of requests."
)
_BUCKETS = (
    "Latencies are counted in logarithmic buckets, so that percentiles are at most 1 % off, however long the run was; "
    "the longest is exact. A percentile is in italics where fewer than ten requests were slower."
)


def method(results: Results, levels: Sequence[Level]) -> Child:
    """Return what the figures mean."""
    if not levels:
        return None
    said = [story.clock(levels), _COUNTED, _BUCKETS]
    if any(len(level.steps) > 1 for level in levels):
        said.append("Figures of a load are the medians of its runs; the pictures of latency take them together.")
    return tag("ul", *(tag("li", one) for one in said))


def environment(results: Results) -> Child:
    """Return where it ran, what was asked, and how."""
    server, here = results.server, results.environment
    versions = ", ".join(f"{name} {version}" for name, version in here.versions.items())
    workers = f", {quantities.counted(server.workers, 'worker')}" if server.workers else ""
    known = [story.model(server), server.weights_precision, server.instruction_set]
    facts: list[tuple[str, Child]] = [
        ("Server", f"{server.address}{workers}"),
        ("Model", ", ".join(filter(None, known))),
        ("Server's numbatch", server.numbatch),
        ("Generator on", f"{here.cpu}, {quantities.counted(here.cores, 'processor')}, {here.platform}"),
        ("Software", f"Python {here.python}, {versions}"),
        ("Command", tag("code", join(results.command)) if results.command else None),
    ]
    settings: list[tuple[str, Child]] = [(name, _setting(value)) for name, value in results.settings.items()]
    folded = tag("details", tag("summary", "All settings"), _listed(settings), class_="data") if settings else None
    return [_listed(facts), folded]


def _listed(facts: Sequence[tuple[str, Child]]) -> Markup:
    return tag("dl", *(joined(tag("dt", name), tag("dd", value)) for name, value in facts if value), class_="facts")


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_setting, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_setting(one)}" for name, one in value.items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
