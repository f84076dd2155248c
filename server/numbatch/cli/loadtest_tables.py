"""What a load test found, as a table for a terminal, and two load tests beside each other."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from numbatch.loadtest.report import quantities, story
from numbatch.loadtest.report.compare import Comparison
from numbatch.loadtest.report.compare_text import HEADS, cells, sentences
from numbatch.loadtest.report.levels import Level, knee_of, levels_of
from numbatch.loadtest.report.text import notes
from numbatch.loadtest.results import Results

_PERCENTILES = ("p50", "p90", "p99", "p99.9")
_STYLES = {"regressed": "bold red", "undecided": "yellow", "held": "", "improved": "green"}


def as_table(results: Results) -> RenderableType:
    """Return a run for people: what was sent, a line for each load, what else there is to say, the verdict."""
    *remarks, ending = notes(results)
    style = "bold green" if results.verdict == "ok" else "bold red"
    return Group(
        Text(story.target(results), "bold"),
        Text(story.workload(results)),
        "",
        _levels(levels_of(results.steps)),
        "",
        *(Text(line, "red" if line.startswith(("FAILED", "wrong answer")) else "dim") for line in remarks),
        Text(ending, style),
    )


def comparison_table(compared: Comparison) -> RenderableType:
    """Return a comparison for people: a line for each figure, what regressed, the verdict."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in HEADS:
        table.add_column(name, justify="left" if name in ("load", "figure", "verdict") else "right", no_wrap=True)
    previous = ""
    for change in compared.changes:
        style = _STYLES[change.verdict]
        first, *others, verdict = cells(change)
        table.add_row(Text("" if first == previous else first), *map(Text, others), Text(verdict, style))
        previous = first
    *lines, ending = sentences(compared)
    return Group(
        table,
        "",
        *(Text(line, "red" if line.startswith("REGRESSED") else "dim") for line in lines),
        Text(ending, "bold red" if compared.verdict == "regressed" else "bold"),
    )


def _levels(levels: list[Level]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    has_rows = any(level.first.rows_per_message > 1 for level in levels)
    table.add_column("load", no_wrap=True)
    for name in ("answers/s", *(["rows/s"] if has_rows else []), *_PERCENTILES, "max", "not ok"):
        table.add_column(name, justify="right", no_wrap=True)
    knee = knee_of(levels)
    for level in levels:
        is_knee = knee is not None and not knee.is_last and level is knee.level
        figures = [quantities.amount(level.requests_per_s)]
        figures += [quantities.amount(level.rows_per_s)] if has_rows else []
        figures += [quantities.duration(level.percentile(p)) if level.is_firm(p) else "-" for p in _PERCENTILES]
        figures += [quantities.duration(level.max_us) if level.outcomes.ok else "-"]
        errors = level.outcomes.errors
        share = Text(quantities.share(errors, level.outcomes.total), "red") if errors else Text("0", "dim")
        table.add_row(Text(level.name, "bold" if is_knee else ""), *map(Text, figures), share)
    return table
