"""Pictures of parts of a whole: where the time of a request goes, and what became of the requests."""

from collections.abc import Callable, Sequence

from numbatch.loadtest.report import drawing, quantities
from numbatch.loadtest.report.levels import Level
from numbatch.loadtest.report.markup import Markup
from numbatch.loadtest.report.scales import Linear
from numbatch.loadtest.results import Outcomes

_WIDTH = 1080.0
_LEFT, _RIGHT = 150.0, _WIDTH - 110

OUTCOMES = {
    "ok": "answered",
    "refused": "refused",
    "deadline": "too late",
    "unavailable": "no server",
    "mismatch": "wrong answer",
    "failed": "other errors",
}
PARTS = {
    "before sending": "c-faint",
    "queue": "c-amber",
    "compute": "c-blue",
    "network, gRPC, encoding": "c-teal",
}


def parts_of(level: Level) -> list[float]:
    """Return how long each of `PARTS` takes on average, in microseconds."""
    side = level.server_side
    assert side is not None
    return [level.before_sending_us, side.queue_us, side.compute_us, max(0.0, side.overhead_us)]


def server_split(levels: Sequence[Level]) -> Markup:
    """Return where the time of a request goes at each load that the server's metrics tell about."""
    rows = [(level.name, parts_of(level), quantities.duration(sum(parts_of(level)))) for level in levels]
    longest = max(sum(parts) for _, parts, _ in rows)
    first, last = rows[0], rows[-1]
    return _stacked(
        "split",
        "Where the time of a request goes",
        f"Mean times: of {first[2]} at {first[0]}, {quantities.duration(first[1][1])} in the queue and "
        f"{quantities.duration(first[1][2])} in computing; of {last[2]} at {last[0]}, "
        f"{quantities.duration(last[1][1])} and {quantities.duration(last[1][2])}.",
        [(name, parts, said) for name, parts, said in rows],
        list(PARTS.items()),
        longest,
        quantities.tick,
        28.0,
    )


def outcomes(levels: Sequence[Level]) -> Markup:
    """Return what became of the requests at each load, in per cent."""
    kinds = [(name, f"c-{name}") for name in OUTCOMES if any(getattr(level.outcomes, name) for level in levels)]
    rows = []
    for level in levels:
        total = level.outcomes.total or 1
        rows.append(
            (
                level.name,
                [100 * getattr(level.outcomes, name) / total for name, _ in kinds],
                f"{quantities.share(level.outcomes.ok, level.outcomes.total)} ok",
            )
        )
    return _stacked(
        "outcomes",
        "What became of the requests",
        "How many of the requests were answered rightly. "
        + "; ".join(f"{name}: {said}" for name, _, said in rows)
        + ".",
        rows,
        [(OUTCOMES[name], class_) for name, class_ in kinds],
        100.0,
        lambda value: f"{value:g} %",
        21.0,
    )


def not_ok(outcomes: Outcomes) -> str:
    """Return what went wrong, in words: "12 refused, 3 too late"."""
    names = [name for name in OUTCOMES if name != "ok" and getattr(outcomes, name)]
    return ", ".join(f"{quantities.count(getattr(outcomes, name))} {OUTCOMES[name]}" for name in names) or "none"


def _stacked(
    name: str,
    title: str,
    description: str,
    rows: Sequence[tuple[str, list[float], str]],
    kinds: Sequence[tuple[str, str]],
    longest: float,
    label: Callable[[float], str],
    height: float,
) -> Markup:
    top = 44.0
    bottom = top + height * len(rows)
    panel = drawing.Panel(_LEFT, top, _RIGHT, bottom)
    x = Linear(0.0, longest or 1.0, _LEFT, _RIGHT)
    ticks = x.ticks(8)
    parts = [drawing.rule(x(tick), top - 6, x(tick), bottom, "grid") for tick in ticks]
    for at, (row, values, said) in enumerate(rows):
        y = top + height * at
        parts.append(drawing.words(_LEFT - 12, y + height / 2 + 4, row, "strong", "end"))
        start = 0.0
        for value, (_, class_) in zip(values, kinds, strict=True):
            if value > 0:
                width = max(x(start + value) - x(start), 1.5)
                parts.append(drawing.bar(x(start), y + 3.5, width, height - 7, f"fill part {class_}"))
            start += value
        parts.append(drawing.words(max(x(start), _LEFT) + 8, y + height / 2 + 4, said))
    return drawing.picture(
        name,
        title,
        description,
        _WIDTH,
        bottom + 46,
        drawing.legend(_LEFT, 18, kinds),
        *parts,
        drawing.x_axis(panel, x, label, "", ticks),
    )
