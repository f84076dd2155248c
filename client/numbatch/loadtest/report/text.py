"""A run as plain lines, for logs and files."""

from numbatch.loadtest.report import quantities, story
from numbatch.loadtest.report.breakdown import not_ok
from numbatch.loadtest.report.conditions import judged
from numbatch.loadtest.report.levels import Level, knee_of, levels_of
from numbatch.loadtest.results import Results


def as_lines(results: Results) -> list[str]:
    """Return a run as lines of text: what was sent, a line for each load, what was asserted, the verdict."""
    levels = levels_of(results.steps)
    lines = [story.target(results), story.workload(results), ""]
    lines += [_level(level) for level in levels]
    lines += ["", *notes(results)]
    return lines


def notes(results: Results) -> list[str]:
    """Return what there is to say beside the figures; last the verdict."""
    levels = levels_of(results.steps)
    lines = [story.clock(levels)] if levels else []
    knee = knee_of(levels)
    if knee and not knee.is_last:
        lines.append(f"knee at {knee.level.name}: beyond, latency grows faster than what is answered")
    if results.search:
        lines.append(f"highest rate with {results.search.objective}: {story.highest_rate(results.search, results)}")
    lines += story.doubts(levels)
    lines += [
        f"{'held' if one.passed else 'FAILED'}: {one.text} (worst: {judged(one.text, one.value)})"
        for one in results.assertions
    ]
    lines += [
        f"wrong answer from {one.model}: {one.detail}" + (f", in {one.file}" if one.file else "")
        for one in results.mismatches
    ]
    ending = f"verdict: {story.verdict(results)}"
    lines.append(f"{ending}: {results.reason}" if results.reason else ending)
    return lines


def _level(level: Level) -> str:
    parts = [
        f"{level.name}: {quantities.rate(level.requests_per_s)} answered",
        f"{quantities.amount(level.rows_per_s)} rows/s",
        *(f"{name} {_percentile(level, name)}" for name in ("p50", "p90", "p99", "p99.9")),
        f"max {quantities.duration(level.max_us)}",
        f"not ok: {not_ok(level.outcomes)}",
    ]
    return "  ".join(parts)


def _percentile(level: Level, name: str) -> str:
    return quantities.duration(level.percentile(name)) if level.is_firm(name) else "-"
