"""The picture of how much is answered, and how fast, as the load grows; and that of a search for the highest rate."""

from collections.abc import Sequence

from numbatch.loadtest.report import drawing, quantities
from numbatch.loadtest.report.conditions import condition_of, judged
from numbatch.loadtest.report.drawing import Panel
from numbatch.loadtest.report.levels import Knee, Level
from numbatch.loadtest.report.markup import Markup, joined
from numbatch.loadtest.report.scales import around, from_zero
from numbatch.loadtest.results import Search

_WIDTH = 1080.0
_LINES = (("p50", "c-p50"), ("p99", "c-p99"), ("p99.9", "c-p999"))


def throughput_latency(levels: Sequence[Level], knee: Knee | None) -> Markup:
    """Return latency over answers a second: a point for each load, joined from the lightest to the heaviest."""
    panel = Panel(84, 56, _WIDTH - 110, 372)
    answered = [level for level in levels if level.outcomes.ok]
    firm = {name: [level for level in answered if level.is_firm(name)] for name, _ in _LINES}
    shown = [(name, class_) for name, class_ in _LINES if firm[name]] or [*_LINES[:1]]
    x = from_zero(max(step.requests_per_s for level in answered for step in level.steps), panel.left, panel.right)
    values = [step.latency_us.percentiles[name] for name, _ in shown for level in firm[name] for step in level.steps]
    y = around(values, panel.bottom, panel.top)
    parts: list[Markup] = []
    ends = []
    for name, class_ in shown:
        points = [(x(level.requests_per_s), y(level.percentile(name))) for level in firm[name]]
        for level in firm[name]:
            if len(level.steps) > 1:
                parts += [
                    drawing.dot(x(step.requests_per_s), y(step.latency_us.percentiles[name]), 2.2, f"ghost {class_}")
                    for step in level.steps
                ]
        parts.append(drawing.line(points, class_))
        for level, (px, py) in zip(firm[name], points, strict=True):
            doubtful = bool(level.bound or level.unstable)
            parts.append(drawing.dot(px, py, 4, f"{'hollow' if doubtful else 'fill'} {class_}"))
        ends.append((points[-1], name, class_))
    heights = drawing.spread_out([end[1] for end, _, _ in ends], 14, panel.top, panel.bottom)
    right = max(end[0] for end, _, _ in ends)
    for (_, name, class_), height in zip(ends, heights, strict=True):
        parts.append(drawing.words(right + 12, height + 4, name, f"coloured {class_}"))
    if knee:
        at = x(knee.level.requests_per_s)
        said = f"{'best so far' if knee.is_last else 'knee'}: {knee.level.name}"
        parts.append(drawing.markers(Panel(panel.left, panel.top, panel.right, panel.bottom), [(at, said, "strong")]))
    slots = sorted((x(level.requests_per_s), _readout(level)) for level in answered)
    return drawing.picture(
        "capacity",
        "Latency over answers a second",
        "Each point is a load. "
        + "; ".join(
            f"{level.name}: {quantities.rate(level.requests_per_s)}, p99 {quantities.duration(level.percentile('p99'))}"
            for level in answered
        )
        + ".",
        _WIDTH,
        420,
        drawing.y_axis(panel, y, quantities.tick, "latency", y.ticks(7)),
        *parts,
        drawing.x_axis(panel, x, quantities.amount, "right answers a second", x.ticks(9)),
        drawing.readouts(panel, slots, 16),
    )


def _readout(level: Level) -> str:
    figures = [f"{name} {quantities.duration(level.percentile(name))}" for name, _ in _LINES]
    doubt = [
        f"({word})" for word, is_so in (("generator-bound", level.bound), ("no steady state", level.unstable)) if is_so
    ]
    return "   ".join([level.name + ":", f"{quantities.rate(level.requests_per_s)} answered", *figures, *doubt])


def search_trials(search: Search) -> Markup:
    """Return what a search tried: the value at each rate, and whether the objective held."""
    panel = Panel(84, 56, _WIDTH - 60, 270)
    trials = [(trial, trial.value) for trial in search.trials if trial.value is not None]
    x = from_zero(max(trial.rate for trial in search.trials), panel.left, panel.right)
    limit = _limit(search.objective)
    y = around([*(value for _, value in trials), *([limit] if limit else [])], panel.bottom, panel.top)
    places = [(x(trial.rate), y(value)) for trial, value in trials]
    parts = [drawing.line(places, "trail")] if places else []
    if limit:
        parts += [
            drawing.rule(panel.left, y(limit), panel.right, y(limit), "limit"),
            drawing.words(panel.right - 4, y(limit) - 6, search.objective, "strong", "end"),
        ]
    parts += [
        _held(*place) if trial.held else _missed(*place) for (trial, _), place in zip(trials, places, strict=True)
    ]
    numbers = [str(at) for at, trial in enumerate(search.trials, 1) if trial.value is not None]
    parts.append(drawing.labels_beside(places, numbers))
    if search.max_rate:
        at_x = x(search.max_rate)
        parts.append(drawing.markers(panel, [(at_x, f"highest: {quantities.rate(search.max_rate)}", "strong")]))
    return drawing.picture(
        "search",
        "What the search tried",
        f"The objective is {search.objective}. "
        + (
            f"The highest rate that held it is {quantities.rate(search.max_rate)}."
            if search.max_rate
            else "No rate held it."
        ),
        _WIDTH,
        318,
        drawing.y_axis(panel, y, lambda value: judged(search.objective, value), "", y.ticks(6)),
        *parts,
        drawing.x_axis(
            panel, x, quantities.amount, "requests a second; the trials are numbered as they ran", x.ticks(9)
        ),
    )


def _limit(objective: str) -> float | None:
    condition = condition_of(objective)
    return condition.limit if condition and condition.limit > 0 else None


def _held(x: float, y: float) -> Markup:
    return drawing.dot(x, y, 5, "fill c-ok")


def _missed(x: float, y: float) -> Markup:
    return joined(
        drawing.rule(x - 4.5, y - 4.5, x + 4.5, y + 4.5, "cross-out"),
        drawing.rule(x - 4.5, y + 4.5, x + 4.5, y - 4.5, "cross-out"),
    )
