"""The parts of the page that are words and tables."""

from collections.abc import Sequence
from datetime import datetime

from numbatch.loadtest.report import quantities, story
from numbatch.loadtest.report.breakdown import OUTCOMES
from numbatch.loadtest.report.conditions import judged
from numbatch.loadtest.report.levels import Knee, Level
from numbatch.loadtest.report.markup import Child, Markup, joined, tag
from numbatch.loadtest.report.table import behind, table
from numbatch.loadtest.results import PERCENTILES, Results, Step

PERCENTILE_HEADS = ["load", "requests", "min", "mean", *PERCENTILES, "max"]

# A table of more rows is no table that anybody reads; the JSON file has them.
_MOST_SECONDS = 600
_MOST_ERRORS = 20

_TICKS = {True: "\u2713", False: "\u2717"}


def header(results: Results, title: str) -> Markup:
    """Return what was done, and how it ended."""
    passed = results.verdict == "ok"
    switch = [
        joined(
            tag("input", type="radio", name="theme", id=f"theme-{name.lower()}", checked=name == "Auto"),
            tag("label", name, for_=f"theme-{name.lower()}"),
        )
        for name in ("Auto", "Light", "Dark")
    ]
    return tag(
        "header",
        tag(
            "div",
            tag("p", "numbatch load test", class_="kind"),
            tag("fieldset", tag("legend", "Colours"), switch, class_="themes"),
            class_="top",
        ),
        tag("h1", title.removeprefix("Load test of ")),
        tag("p", story.workload(results), class_="lead"),
        tag(
            "div",
            tag("span", f"{_TICKS[passed]} {story.verdict(results)}", class_=f"verdict {'good' if passed else 'bad'}"),
            tag("span", results.reason or ("All assertions held." if results.assertions else ""), class_="reason"),
            tag("time", _when(results.started), datetime=results.started),
            class_="ending",
        ),
    )


def tiles(results: Results, levels: Sequence[Level], knee: Knee | None) -> Markup | None:
    """Return the figures that matter most."""
    if not levels:
        return None
    told: list[tuple[str, str, str]] = []
    if results.search:
        told.append(
            ("highest rate", story.highest_rate(results.search, results), f"that holds {results.search.objective}")
        )
    told += _one_load(levels[0]) if len(levels) == 1 else _several_loads(levels, knee)
    sent = sum(level.outcomes.total for level in levels)
    errors = sum(level.outcomes.errors for level in levels)
    wrong = sum(level.outcomes.mismatch for level in levels)
    told += [
        ("not ok", quantities.share(errors, sent) if errors else "0", f"of {quantities.count(sent)} requests"),
        ("wrong answers", quantities.count(wrong), "other bits than expected"),
    ]
    cells = [
        tag(
            "div",
            tag("dt", name),
            tag("dd", value, class_="bad" if name == "wrong answers" and wrong else None),
            tag("dd", note, class_="note"),
        )
        for name, value, note in told
    ]
    return tag("dl", *cells, class_="tiles")


def _one_load(level: Level) -> list[tuple[str, str, str]]:
    step = level.first
    asked = f"of {quantities.rate(step.rate)} sent" if step.rate else f"{quantities.rate(level.rows_per_s)} rows"
    since = "from the intended start" if step.send_lag_us.count else "of latency"
    firm = [name for name in ("p50", "p99", "p99.9") if level.is_firm(name)]
    return [
        ("answered", quantities.rate(level.requests_per_s), asked),
        *((name, quantities.duration(level.percentile(name)), since) for name in firm),
    ]


def _several_loads(levels: Sequence[Level], knee: Knee | None) -> list[tuple[str, str, str]]:
    best = max(levels, key=lambda level: level.requests_per_s)
    rows = f"; {quantities.amount(best.rows_per_s)} rows/s" if best.first.rows_per_message > 1 else ""
    told = [("most answered", quantities.rate(best.requests_per_s), f"at {best.name}{rows}")]
    if knee and not knee.is_last:
        at = f"at {knee.level.name}; p99 {quantities.duration(knee.level.percentile('p99'))}"
        told.append(("knee", quantities.rate(knee.level.requests_per_s), at))
    lightest = levels[0]
    firm = [name for name in ("p50", "p99") if lightest.is_firm(name)]
    told += [
        (f"{name}, lightest load", quantities.duration(lightest.percentile(name)), f"at {lightest.name}")
        for name in firm
    ]
    return told


def assertions(results: Results) -> Child:
    """Return what was asserted, and whether it held."""
    if not results.assertions:
        return None
    rows = [[tag("code", one.text), judged(one.text, one.value), _mark(one.passed)] for one in results.assertions]
    return table("Each over all steps", ["assertion", "worst value", "verdict"], rows, words=3)


def mismatches(results: Results) -> Child:
    """Return the wrong answers."""
    if not results.mismatches:
        return None
    rows = [
        [one.model, str(one.message), one.detail, tag("code", one.file) if one.file else "-"]
        for one in results.mismatches
    ]
    heads = ["model", "message", "what is wrong", "saved in"]
    return table("Answers with other bits than expected", heads, rows, words=4)


def levels_table(levels: Sequence[Level], knee: Knee | None) -> Child:
    """Return the figures of each load, and which of them are not to be relied on."""
    rows = [
        [
            joined(level.name, *(tag("span", word, class_="pill") for word in _remarks(level, knee))),
            quantities.amount(level.requests_per_s),
            quantities.amount(level.rows_per_s),
            *(_latency(level, percentile) for percentile in ("p50", "p90", "p99", "p99.9")),
            quantities.duration(level.max_us) if level.outcomes.ok else "-",
            quantities.share(level.outcomes.errors, level.outcomes.total) if level.outcomes.errors else "0",
        ]
        for level in levels
    ]
    heads = ["load", "answers/s", "rows/s", "p50", "p90", "p99", "p99.9", "max", "not ok"]
    runs = max(len(level.steps) for level in levels)
    note = f", the median of {runs} runs (lowest to highest)" if runs > 1 else ""
    doubts = [tag("p", f"{doubt[0].upper()}{doubt[1:]}.", class_="doubt") for doubt in story.doubts(levels)]
    return [table(f"Latency and answers at each load{note}", heads, rows), doubts]


def _remarks(level: Level, knee: Knee | None) -> list[str]:
    is_knee = knee is not None and not knee.is_last and level is knee.level
    found = (("knee", is_knee), ("generator-bound", level.bound), ("no steady state", level.unstable))
    return [word for word, is_so in found if is_so]


def percentile_row(level: Level) -> list[Child]:
    """Return the cells for `PERCENTILE_HEADS`."""
    fastest = min(step.latency_us.min for step in level.steps)
    return [
        level.name,
        quantities.count(level.outcomes.ok),
        quantities.duration(fastest),
        quantities.duration(level.mean_us),
        *(_latency(level, name) for name in PERCENTILES),
        quantities.duration(level.max_us),
    ]


def _latency(level: Level, name: str) -> Child:
    if not level.outcomes.ok:
        return "-"
    said = quantities.duration(level.percentile(name))
    if not level.is_firm(name):
        return tag("span", said, class_="loose", title="fewer than ten requests were slower")
    if len(level.steps) == 1:
        return said
    each = [step.latency_us.percentiles[name] for step in level.steps]
    return joined(said, tag("small", f"{quantities.duration(min(each))} to {quantities.duration(max(each))}"))


def series_table(steps: Sequence[Step]) -> Child:
    """Return the seconds of all steps."""
    points = [(step, point) for step in steps for point in sorted(step.series, key=lambda point: point.t_s)]
    rows: list[list[Child]] = [
        [
            f"{step.name}, run {step.repeat + 1}",
            f"{point.t_s:g}",
            quantities.count(point.sent),
            quantities.count(point.ok),
            quantities.count(point.errors),
            *(quantities.duration(us) if point.max_us else "-" for us in (point.p50_us, point.p99_us, point.max_us)),
            "-" if point.batch_rows is None else quantities.significant(point.batch_rows),
        ]
        for step, point in points[:_MOST_SECONDS]
    ]
    more = (
        f" (the first {_MOST_SECONDS} of {len(points)}; the JSON file has all)" if len(points) > _MOST_SECONDS else ""
    )
    heads = ["step", "second", "to be sent", "ok", "not ok", "p50", "p99", "max", "rows in a batch"]
    return behind(f"Second by second{more}", heads, rows)


def outcomes_table(levels: Sequence[Level]) -> Markup:
    """Return how many requests had which outcome."""
    rows = [[level.name, *(quantities.count(getattr(level.outcomes, name)) for name in OUTCOMES)] for level in levels]
    return behind("Requests by outcome", ["load", *OUTCOMES.values()], rows)


def errors(levels: Sequence[Level]) -> Child:
    """Return the texts of errors."""
    counts: dict[str, int] = {}
    for level in levels:
        for step in level.steps:
            for said, count in step.errors.items():
                counts[said] = counts.get(said, 0) + count
    if not counts:
        return None
    most = sorted(counts.items(), key=lambda item: -item[1])[:_MOST_ERRORS]
    return table(
        "Errors, the most frequent first", ["error", "times"], [[said, quantities.count(n)] for said, n in most]
    )


def generator(levels: Sequence[Level]) -> Child:
    """Return how hard the generator had to work."""
    if not levels:
        return None
    rows = []
    for level in levels:
        works = [step.generator for step in level.steps]
        busiest = max((share for work in works for share in work.cpu_share), default=0.0)
        lag = max(step.send_lag_us.percentiles.get("p99", 0.0) for step in level.steps)
        scheduled = any(step.send_lag_us.count for step in level.steps)
        rows.append(
            [
                level.name,
                str(max(work.processes for work in works)),
                quantities.share(busiest, 1.0),
                f"{quantities.significant(max(work.us_per_request for work in works))} us",
                quantities.duration(lag) if scheduled else "-",
                "yes" if level.bound else "no",
            ]
        )
    said = "It was not the bottleneck: it had processor time to spare, and was on time where there was a schedule."
    if any(level.bound for level in levels):
        said = "At some loads it may have been the bottleneck: their figures say little about the server."
    heads = ["load", "processes", "the busiest's processor", "its time a request", "sent late, p99", "bottleneck"]
    return [tag("p", said), table("The generator at each load, the worst of its runs", heads, rows)]


def _mark(passed: bool) -> Markup:
    return tag("span", f"{_TICKS[passed]} {'held' if passed else 'failed'}", class_="good" if passed else "bad")


def _when(started: str) -> str:
    try:
        return datetime.fromisoformat(started).strftime("%-d %B %Y, %H:%M %Z").strip()
    except ValueError:
        return started
