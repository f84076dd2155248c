"""The picture of a run as time went by: what was sent and answered, latency, errors and batches, second by second."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import fmean

from numbatch.loadtest.report import drawing, quantities
from numbatch.loadtest.report.drawing import XY, Panel
from numbatch.loadtest.report.markup import Markup, joined
from numbatch.loadtest.report.scales import Linear, Scale, around, from_zero
from numbatch.loadtest.results import Point, Step

_WIDTH = 1080.0
_LEFT, _RIGHT = 84.0, _WIDTH - 70
_GAP = 44.0
# More points than that are drawn together.
_MOST_POINTS = 480


@dataclass(frozen=True)
class Moment:
    """A second of a step, or some of them.

    Attributes
    ----------
    x_s : float
        Its middle, in seconds of all steps one after the other.
    step : str
        The step that it is of.
    t_s : float
        When it began, in seconds of the step.
    sent_per_s, ok_per_s, errors_per_s : float
        As `Point` counts them.
    p50_us, p99_us, max_us : float
        The mean of the medians; the largest of the others. 0: nothing was answered.
    batch_rows : float or None
        The mean.
    """

    x_s: float
    step: str
    t_s: float
    sent_per_s: float
    ok_per_s: float
    errors_per_s: float
    p50_us: float
    p99_us: float
    max_us: float
    batch_rows: float | None


@dataclass(frozen=True)
class Stretch:
    """The part of the time axis that a step takes."""

    name: str
    start_s: float
    end_s: float
    moments: list[Moment]


def stretches(steps: Sequence[Step]) -> list[Stretch]:
    """Put the series of steps one after the other."""
    points = sum(len(step.series) for step in steps)
    together = -(-points // _MOST_POINTS)
    found = []
    start = 0.0
    for step in steps:
        series = sorted(step.series, key=lambda point: point.t_s)
        end = start + max([step.duration_s, *(point.t_s for point in series)])
        ends = [*(point.t_s for point in series[1:]), max(step.duration_s, series[-1].t_s + 0.1)] if series else []
        groups = [slice(at, at + together) for at in range(0, len(series), together)]
        moments = [_moment(step.name, start, series[group], ends[group][-1]) for group in groups]
        found.append(Stretch(step.name, start, end, moments))
        start = end
    return found


def timeline(steps: Sequence[Step]) -> Markup:
    """Return the picture of all steps one after the other."""
    runs = stretches(steps)
    moments = [moment for run in runs for moment in run.moments]
    has_errors = any(moment.errors_per_s for moment in moments)
    has_batches = any(moment.batch_rows is not None for moment in moments)
    heights = [130.0, 170.0, *([70.0] if has_errors else []), *([90.0] if has_batches else [])]
    panels, top = [], 76.0 if len({run.name for run in runs}) > 1 else 52.0
    for height in heights:
        panels.append(Panel(_LEFT, top, _RIGHT, top + height))
        top += height + _GAP
    x = Linear(0.0, runs[-1].end_s, _LEFT, _RIGHT)
    whole = Panel(_LEFT, panels[0].top, _RIGHT, panels[-1].bottom)
    parts = [_boundaries(runs, x, whole), _rates(panels[0], x, runs), _latencies(panels[1], x, runs)]
    if has_errors:
        parts.append(_errors(panels[2], x, runs))
    if has_batches:
        parts.append(_batches(panels[-1], x, runs))
    parts.append(drawing.x_axis(panels[-1], x, quantities.plain, "seconds, warm-ups left out", x.ticks(12)))
    parts.append(drawing.readouts(whole, [(x(moment.x_s), _readout(moment)) for moment in moments], 16))
    height = panels[-1].bottom + 46
    worst = max(moments, key=lambda moment: moment.max_us)
    return drawing.picture(
        "timeline",
        "The run as time went by",
        f"Rates, latency{', errors' if has_errors else ''}{' and rows in a batch' if has_batches else ''}, second by "
        f"second. The longest latency is {quantities.duration(worst.max_us)}, in second {worst.t_s:g} of {worst.step}.",
        _WIDTH,
        height,
        *parts,
    )


def _boundaries(runs: Sequence[Stretch], x: Scale, whole: Panel) -> Markup:
    """Return lines between runs, and above the first run at each load its name if there is room until the next load."""
    loads = [list(group) for _, group in groupby(runs, key=lambda run: run.name)]
    if len(loads) == 1:
        loads[0][0] = replace(loads[0][0], name="")
    parts = []
    for at, (first, *repeats) in enumerate(loads):
        start, end = x(first.start_s), x((repeats or [first])[-1].end_s)
        if at:
            parts.append(drawing.rule(start, whole.top - 46, start, whole.bottom, "boundary"))
        parts += [drawing.rule(x(run.start_s), whole.top, x(run.start_s), whole.bottom, "repeat") for run in repeats]
        if len(first.name) * drawing.LETTER + 6 < end - start:
            parts.append(drawing.words(start + 4, whole.top - 32, first.name, "mark"))
    return joined(parts)


def _rates(panel: Panel, x: Scale, runs: Sequence[Stretch]) -> Markup:
    moments = [moment for run in runs for moment in run.moments]
    y = from_zero(max(max(moment.sent_per_s, moment.ok_per_s) for moment in moments), panel.bottom, panel.top)
    parts = [drawing.y_axis(panel, y, quantities.amount, "requests a second", y.ticks(3))]
    for run in runs:
        answered = [(x(moment.x_s), y(moment.ok_per_s)) for moment in run.moments]
        if answered:
            parts += [
                drawing.area(answered, panel.bottom, "soft c-blue"),
                drawing.line(answered, "c-blue"),
                drawing.line([(x(moment.x_s), y(moment.sent_per_s)) for moment in run.moments], "dashed c-ink"),
            ]
    parts.append(
        drawing.legend(panel.left + 130, panel.top - 12, [("answered", "c-blue"), ("to be sent (dashed)", "c-ink")])
    )
    return joined(parts)


def _latencies(panel: Panel, x: Scale, runs: Sequence[Stretch]) -> Markup:
    values = [value for run in runs for moment in run.moments for value in (moment.p50_us, moment.max_us)]
    y = around(values, panel.bottom, panel.top)
    parts = [drawing.y_axis(panel, y, quantities.tick, "latency", y.ticks(5))]
    for run in runs:
        answered = [moment for moment in run.moments if moment.max_us > 0]
        for name, class_ in (("max_us", "thin c-faint"), ("p99_us", "c-p99"), ("p50_us", "c-p50")):
            points: list[XY] = [(x(moment.x_s), y(getattr(moment, name))) for moment in answered]
            if points:
                parts.append(drawing.line(points, class_))
    parts.append(
        drawing.legend(panel.left + 130, panel.top - 12, [("p50", "c-p50"), ("p99", "c-p99"), ("max", "c-faint")])
    )
    return joined(parts)


def _errors(panel: Panel, x: Scale, runs: Sequence[Stretch]) -> Markup:
    moments = [moment for run in runs for moment in run.moments]
    y = from_zero(max(moment.errors_per_s for moment in moments), panel.bottom, panel.top)
    width = max(1.0, (panel.right - panel.left) / len(moments) - 1)
    bars = [
        drawing.bar(
            x(moment.x_s) - width / 2,
            min(y(moment.errors_per_s), panel.bottom - 2),
            width,
            panel.bottom - min(y(moment.errors_per_s), panel.bottom - 2),
            "fill c-bad",
        )
        for moment in moments
        if moment.errors_per_s
    ]
    return joined(drawing.y_axis(panel, y, quantities.amount, "not ok, a second", y.ticks(2)), bars)


def _batches(panel: Panel, x: Scale, runs: Sequence[Stretch]) -> Markup:
    known = [moment.batch_rows for run in runs for moment in run.moments if moment.batch_rows is not None]
    y = from_zero(max(known), panel.bottom, panel.top)
    parts = [drawing.y_axis(panel, y, quantities.amount, "rows in a batch", y.ticks(3))]
    for run in runs:
        points = [(x(moment.x_s), y(moment.batch_rows)) for moment in run.moments if moment.batch_rows is not None]
        if points:
            parts.append(drawing.line(points, "c-teal"))
    return joined(parts)


def _moment(name: str, start: float, points: Sequence[Point], end: float) -> Moment:
    first = points[0]
    span = max(end - first.t_s, 0.1)
    batches = [point.batch_rows for point in points if point.batch_rows is not None]
    medians = [point.p50_us for point in points if point.p50_us > 0]
    return Moment(
        x_s=start + first.t_s + span / 2,
        step=name,
        t_s=first.t_s,
        sent_per_s=sum(point.sent for point in points) / span,
        ok_per_s=sum(point.ok for point in points) / span,
        errors_per_s=sum(point.errors for point in points) / span,
        p50_us=fmean(medians) if medians else 0.0,
        p99_us=max(point.p99_us for point in points),
        max_us=max(point.max_us for point in points),
        batch_rows=fmean(batches) if batches else None,
    )


def _readout(moment: Moment) -> str:
    figures = [
        f"{moment.step}, second {quantities.plain(moment.t_s)}:",
        f"{quantities.rate(moment.ok_per_s)} of {quantities.rate(moment.sent_per_s)}",
        f"not ok {quantities.rate(moment.errors_per_s)}",
    ]
    if moment.max_us:
        figures.append(
            f"p50 {quantities.duration(moment.p50_us)}   p99 {quantities.duration(moment.p99_us)}   "
            f"max {quantities.duration(moment.max_us)}"
        )
    if moment.batch_rows is not None:
        figures.append(f"{quantities.significant(moment.batch_rows)} rows in a batch")
    return "   ".join(figures)
