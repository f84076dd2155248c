"""Pictures of latency: how it is spread, on a logarithmic axis, and its percentiles up to the last request."""

import math
from collections.abc import Sequence

from numbatch.loadtest.report import drawing, quantities
from numbatch.loadtest.report.drawing import Panel
from numbatch.loadtest.report.levels import FIRM_SAMPLES, Level, cumulative, rebinned
from numbatch.loadtest.report.markup import Markup, joined
from numbatch.loadtest.report.palette import heat
from numbatch.loadtest.report.scales import Linear, Log, around
from numbatch.loadtest.results import PERCENTILES

_WIDTH = 1080.0
_BIN = 4.0  # pixels
_RIDGE, _OVERLAP = 34.0, 1.3


def histogram(level: Level) -> Markup:
    """Return how the latencies of one load are spread, with their percentiles."""
    panel = Panel(64, 92, _WIDTH - 24, 330)
    x = _latency_scale([level], panel.left, panel.right)
    shares = _shares(level, x)
    y = Linear(0, max(shares) * 1.05, panel.bottom, panel.top)
    marks = [
        (x(level.percentile(name)), f"{name} {quantities.duration(level.percentile(name))}", "")
        for name in _firm(level)
    ]
    marks.append((x(level.max_us), f"max {quantities.duration(level.max_us)}", "faint"))
    bars = [
        drawing.bar(
            panel.left + at * _BIN,
            min(y(share), panel.bottom - 1.5),
            _BIN - 0.6,
            panel.bottom - min(y(share), panel.bottom - 1.5),
            "fill c-blue",
        )
        for at, share in enumerate(shares)
        if share
    ]
    return drawing.picture(
        "histogram",
        "How latencies are spread",
        f"A histogram on a logarithmic axis of time. Half of the requests took at most "
        f"{quantities.duration(level.percentile('p50'))}, 99 of 100 at most "
        f"{quantities.duration(level.percentile('p99'))}, the longest {quantities.duration(level.max_us)}.",
        _WIDTH,
        378,
        drawing.y_axis(panel, y, lambda share: f"{100 * share:.2g} %", "", y.ticks(4)),
        *bars,
        drawing.markers(panel, marks, rows=5),
        drawing.x_axis(panel, x, quantities.tick, "latency", x.ticks(14)),
    )


def ridges(levels: Sequence[Level]) -> Markup:
    """Return how the latencies of several loads are spread, one below the other."""
    height = 90 + _RIDGE * (len(levels) - 1) + 48
    panel = Panel(150, 90, _WIDTH - 24, height - 48)
    x = _latency_scale(levels, panel.left, panel.right)
    ticks = x.ticks(14)
    parts = [drawing.rule(x(tick), panel.top - 46, x(tick), panel.bottom, "grid") for tick in ticks]
    marks = []
    for at, level in enumerate(levels):
        base = panel.bottom - _RIDGE * (len(levels) - 1 - at)
        shares = _shares(level, x)
        scale = _RIDGE * _OVERLAP / max(shares)
        outline = [(panel.left + (place + 0.5) * _BIN, base - share * scale) for place, share in enumerate(shares)]
        style = heat(at, len(levels))
        parts += [
            drawing.rule(panel.left, base, panel.right, base, "grid"),
            drawing.area(outline, base, "ridge", style),
            drawing.line(outline, "thin", style),
            drawing.words(panel.left - 12, base + 1, level.name, "strong", "end"),
        ]
        marks += [
            _tick(x(level.percentile("p50")), base, 11, "mark-p50"),
            _tick(x(level.percentile("p99")), base, 11, "mark-p99") if level.is_firm("p99") else joined(),
            drawing.dot(x(level.max_us), base, 2.2, "ink"),
        ]
    parts += [
        *marks,
        _tick(panel.left + 4, 22, 11, "mark-p50"),
        drawing.words(panel.left + 11, 20, "p50"),
        _tick(panel.left + 50, 22, 11, "mark-p99"),
        drawing.words(panel.left + 57, 20, "p99"),
        drawing.dot(panel.left + 97, 16, 2.2, "ink"),
        drawing.words(panel.left + 104, 20, "the longest"),
    ]
    lightest, heaviest = levels[0], levels[-1]
    return drawing.picture(
        "ridges",
        "How latencies are spread at each load",
        f"A histogram for each load, on one logarithmic axis of time. At {lightest.name} half of the requests took at "
        f"most {quantities.duration(lightest.percentile('p50'))}, at {heaviest.name} "
        f"{quantities.duration(heaviest.percentile('p50'))}.",
        _WIDTH,
        height,
        *parts,
        drawing.x_axis(panel, x, quantities.tick, "latency", ticks),
    )


def percentile_curves(levels: Sequence[Level]) -> Markup:
    """Return latency over the share of requests that took longer: 1 of 10, of 100, of 1000 and so on."""
    alone = len(levels) == 1
    panel = Panel(84, 52, _WIDTH - 150, 330)
    most = max(sum(count for _, count in level.histogram) for level in levels)
    x = Log(1.0, max(float(most), 100.0), panel.left, panel.right)
    lowest = [level.histogram[0][0] for level in levels]
    if alone:
        lowest += [level.service_percentile("p50") for level in levels]
    y = around([*lowest, *(level.max_us for level in levels)], panel.bottom, panel.top)
    nines = [10.0**power for power in range(0, math.floor(math.log10(x.high)) + 1)]
    parts, ends = [], []
    for at, level in enumerate(levels):
        style = "--c:var(--blue)" if alone else heat(at, len(levels))
        total = sum(count for _, count in level.histogram)
        curve = [(1 / max(1 - share, 1 / total), us) for share, us in cumulative(level.histogram)]
        firm = [(x(odds), y(us)) for odds, us in curve if odds <= total / FIRM_SAMPLES]
        loose = [*firm[-1:], *((x(odds), y(us)) for odds, us in curve if odds > total / FIRM_SAMPLES)]
        if firm:
            parts.append(drawing.line([(panel.left, firm[0][1]), *firm], "thick" if alone else "", style))
        parts.append(drawing.line(loose, "dotted", style))
        ends.append((loose[-1], "latency" if alone else level.name, style))
    if alone:
        level = levels[0]
        points = [
            (x(1 / (1 - share)), y(level.service_percentile(name)))
            for name, share in PERCENTILES.items()
            if level.is_firm(name)
        ]
        if points:
            style = "--c:var(--amber)"
            parts += [drawing.dot(px, py, 4, "hollow", style) for px, py in points]
            ends.append((points[-1], "service time", style))
    if alone:
        heights = drawing.spread_out([y for (_, y), _, _ in ends], 14, panel.top, panel.bottom)
    else:  # where the curves end says little: the heaviest load first
        heights = [panel.top + 18 * at for at in reversed(range(len(ends)))]
        parts += [
            drawing.bar(panel.right + 14, height - 4, 14, 4, "fill", style)
            for (_, _, style), height in zip(ends, heights, strict=True)
        ]
    parts += [
        drawing.words(panel.right + (12 if alone else 34), height + 4, name, "coloured", style=style)
        for (_, name, style), height in zip(ends, heights, strict=True)
    ]
    return drawing.picture(
        "percentiles",
        "Percentiles of latency",
        "Latency, on a logarithmic axis, over the percentile: each step to the right leaves out a tenth of the slower "
        "requests. "
        + "; ".join(f"{level.name}: p99 {quantities.duration(level.percentile('p99'))}" for level in levels)
        + ".",
        _WIDTH,
        378,
        drawing.y_axis(panel, y, quantities.tick, "latency of the request at that percentile", y.ticks(7)),
        *(drawing.rule(x(nine), panel.top, x(nine), panel.bottom, "grid") for nine in nines),
        *parts,
        drawing.x_axis(panel, x, _percentile_name, "percentile", nines),
    )


def _percentile_name(odds: float) -> str:
    power = round(math.log10(odds))
    return ("min", "p90", "p99")[power] if power < 3 else f"p99.{'9' * (power - 2)}"


def _firm(level: Level) -> list[str]:
    return [name for name in ("p50", "p90", "p99", "p99.9", "p99.99") if level.is_firm(name)] or ["p50"]


def _latency_scale(levels: Sequence[Level], start: float, end: float) -> Log:
    ends = [upper for level in levels for upper in (level.histogram[0][0], level.histogram[-1][0])]
    return around(ends, start, end)


def _shares(level: Level, x: Log) -> list[float]:
    bins = int((x.end - x.start) / _BIN)
    ratio = (x.high / x.low) ** (_BIN / (x.end - x.start))
    counts = rebinned(level.histogram, [x.low * ratio**at for at in range(bins + 1)])
    total = sum(counts) or 1.0
    return [count / total for count in counts]


def _tick(x: float, base: float, height: float, class_: str) -> Markup:
    return joined(drawing.rule(x, base, x, base - height, class_))
