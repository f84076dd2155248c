"""A run as one page: nothing is loaded from anywhere, no script runs, and the page forbids both to itself."""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from numbatch.loadtest.report import breakdown, capacity, facts, latency, quantities, sections, story, timeline
from numbatch.loadtest.report.conditions import judged
from numbatch.loadtest.report.levels import Knee, Level, knee_of, levels_of
from numbatch.loadtest.report.markup import Child, Markup, joined, tag
from numbatch.loadtest.report.table import behind, figure
from numbatch.loadtest.results import Results

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"

# More would not fit into a picture; the tables have all.
_MOST_RIDGES, _MOST_CURVES = 24, 9

# What there is to see in the pictures.
_CAPACITY = (
    "Each point is a load; it moves to the right as more is answered, and up as it takes longer. Small dots are single "
    "runs; hollow ones were limited by the generator or had no steady state."
)
_KNEE = (
    " The knee is the load with the most answers a second by mean latency: beyond it, latency grows faster than what "
    "is answered."
)
_BEST_SO_FAR = (
    " The highest load has the most answers a second by mean latency, so the knee, where latency begins to grow faster "
    "than what is answered, is beyond."
)
_HISTOGRAM = (
    "Requests by how long they took. The axis of time is logarithmic; slow ones are seen, however few they are."
)
_RIDGES = "Requests by how long they took, at each load; every hill is as high as the highest. Time is logarithmic."
_DIVISIONS = "Each division to the right leaves a tenth of the requests before it."
_SERVICE_TIME = (
    " The service time counts from the actual sending: where it is below latency, requests had to wait to be sent."
)
_DOTTED = " Dotted: fewer than ten requests were slower, so that part is an anecdote."
_SPLIT = (
    "Mean times of a request, by the server's metrics: before it is sent (late, because the generator or the "
    "connection was busy), waiting for a batch, in a batch, and all the rest between sending and answer."
)


def save_html(results: Results, path: str | Path) -> None:
    """Write a run as a page."""
    Path(path).write_text(as_html(results), encoding="utf-8")


def as_html(results: Results) -> str:
    """Return a run as a page."""
    levels = levels_of(results.steps)
    knee = knee_of(levels)
    answered = [level for level in levels if level.outcomes.ok and level.histogram]
    parts = [
        _section("capacity", "How much, how fast", _capacity(levels, answered, knee)),
        _section("latency", "Latency", _latency(answered)),
        _section("time", "As time went by", _timeline(results)),
        _section("server", "Where the time goes", _server(levels)),
        _section("outcomes", "What became of the requests", _outcomes(levels)),
        _section("generator", "The load generator", sections.generator(levels)),
        _section("method", "How this was measured", facts.method(results, levels)),
        _section("environment", "Environment and settings", facts.environment(results)),
    ]
    title = f"Load test of {story.target(results)}"
    body = [
        sections.header(results, title),
        sections.tiles(results, levels, knee),
        _section("mismatches", "Wrong answers", sections.mismatches(results)),
        _section("assertions", "Assertions", sections.assertions(results)),
        _section("search", "The search", _search(results)),
        *parts,
        tag(
            "footer",
            "This page loads nothing and runs no script. All of its figures are in the JSON file of the run (--json).",
        ),
    ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", _style()),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("main", *body)), lang="en") + "\n"


def _style() -> Markup:
    return Markup(files("numbatch.loadtest.report").joinpath("page.css").read_text(encoding="utf-8"))


def _section(name: str, title: str, content: Child) -> Markup | None:
    return tag("section", tag("h2", title), content, id=name) if content else None


def _capacity(levels: Sequence[Level], answered: Sequence[Level], knee: Knee | None) -> Child:
    if len(levels) < 2:
        return sections.levels_table(levels, knee) if levels else None
    caption = _CAPACITY + (_BEST_SO_FAR if knee and knee.is_last else _KNEE if knee else "")
    picture = figure(capacity.throughput_latency(answered, knee), caption) if len(answered) > 1 else None
    return [picture, sections.levels_table(levels, knee)]


def _latency(answered: Sequence[Level]) -> Child:
    if not answered:
        return None
    rows = [sections.percentile_row(level) for level in answered]
    table = behind("Percentiles of latency", sections.PERCENTILE_HEADS, rows)
    alone = len(answered) == 1
    picture = latency.histogram(answered[0]) if alone else latency.ridges(evenly(answered, _MOST_RIDGES))
    spread = figure(picture, _HISTOGRAM if alone else _RIDGES)
    curves = latency.percentile_curves(evenly(answered, _MOST_CURVES))
    return [spread, figure(curves, _DIVISIONS + (_SERVICE_TIME if alone else "") + _DOTTED, table)]


def _timeline(results: Results) -> Child:
    if not any(step.series for step in results.steps):
        return None
    return figure(
        timeline.timeline([step for step in results.steps if step.series]),
        "All steps one after the other, in the order in which they ran; point at a second to read it.",
        sections.series_table(results.steps),
    )


def _server(levels: Sequence[Level]) -> Child:
    known = [level for level in levels if level.server_side and level.outcomes.ok]
    if not known:
        return None
    rows = []
    for level in known:
        side = level.server_side
        batch = quantities.significant(side.batch_rows) if side and side.batch_rows is not None else "-"
        rows.append([level.name, *map(quantities.duration, breakdown.parts_of(level)), batch])
    return figure(
        breakdown.server_split(known),
        _SPLIT,
        behind("Where the time goes, on average", ["load", *breakdown.PARTS, "rows in a batch"], rows),
    )


def _outcomes(levels: Sequence[Level]) -> Child:
    if not levels:
        return None
    table = sections.outcomes_table(levels)
    if not any(level.outcomes.errors for level in levels):
        total = sum(level.outcomes.ok for level in levels)
        return [tag("p", f"All {quantities.count(total)} requests were answered."), table]
    return [
        figure(breakdown.outcomes(levels), "In per cent of the requests that were to be sent.", table),
        sections.errors(levels),
    ]


def _search(results: Results) -> Child:
    search = results.search
    if not search or not search.trials:
        return None
    rows = [
        [
            str(at),
            trial.phase or "-",
            quantities.rate(trial.rate),
            judged(search.objective, trial.value),
            "held" if trial.held else "not held",
        ]
        for at, trial in enumerate(search.trials, 1)
    ]
    return figure(
        capacity.search_trials(search),
        joined("Green: the objective ", tag("strong", search.objective), " held; a cross: it did not."),
        behind(
            "The trials, in the order in which they ran",
            ["trial", "phase", "rate", "value", "objective"],
            rows,
            words=2,
        ),
    )


def evenly(levels: Sequence[Level], at_most: int) -> list[Level]:
    """Choose some loads, the first and the last among them, if there are more than fit."""
    if len(levels) <= at_most:
        return list(levels)
    return [levels[round(at * (len(levels) - 1) / (at_most - 1))] for at in range(at_most)]
