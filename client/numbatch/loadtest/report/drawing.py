"""What pictures are made of: panels with axes, lines, areas, marks, and text that appears under the pointer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from numbatch.loadtest.report.markup import Child, Markup, joined, number, tag
from numbatch.loadtest.report.scales import Scale

XY = tuple[float, float]

# About the width of a letter of the labels, in pixels.
LETTER = 6.6


@dataclass(frozen=True)
class Panel:
    """The rectangle inside the axes, in pixels from the picture's upper left corner."""

    left: float
    top: float
    right: float
    bottom: float


def picture(name: str, title: str, description: str, width: float, height: float, *children: Child) -> Markup:
    """Return a picture that says what it is and what it shows to those who do not see it.

    Parameters
    ----------
    name : str
        An identifier of its own in the page.
    title, description : str
        What it is; what there is to see.
    width, height : float
        In pixels; it shrinks with the page.
    *children
        What is in it.
    """
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        style=f"max-width:{number(width)}px",
    )


def words(x: float, y: float, said: str, class_: str = "", anchor: str = "start", style: str | None = None) -> Markup:
    """Return text whose baseline is at y."""
    return tag(
        "text", said, x=x, y=y, class_=class_ or None, text_anchor=None if anchor == "start" else anchor, style=style
    )


def rule(x1: float, y1: float, x2: float, y2: float, class_: str, style: str | None = None) -> Markup:
    """Return a straight line."""
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_, style=style)


def line(points: Iterable[XY], class_: str, style: str | None = None) -> Markup:
    """Return a line through points."""
    return tag("path", d=_path(points), class_=f"line {class_}", style=style)


def area(points: Sequence[XY], base: float, class_: str, style: str | None = None) -> Markup:
    """Return the area between a line and a horizontal one."""
    closed = [(points[0][0], base), *points, (points[-1][0], base)]
    return tag("path", d=_path(closed) + "Z", class_=f"area {class_}", style=style)


def dot(x: float, y: float, radius: float, class_: str, style: str | None = None) -> Markup:
    """Return a round mark."""
    return tag("circle", cx=x, cy=y, r=radius, class_=class_, style=style)


def bar(x: float, y: float, width: float, height: float, class_: str, style: str | None = None) -> Markup:
    """Return a filled rectangle."""
    return tag("rect", x=x, y=y, width=max(width, 0.0), height=max(height, 0.0), class_=class_, style=style)


def y_axis(panel: Panel, scale: Scale, label: Callable[[float], str], title: str, ticks: Sequence[float]) -> Markup:
    """Return lines across a panel, their values beside it and what they are above it."""
    parts = [words(panel.left, panel.top - 12, title, "axis-title")]
    for tick in ticks:
        y = scale(tick)
        parts += [
            rule(panel.left, y, panel.right, y, "grid"),
            words(panel.left - 8, y + 4, label(tick), anchor="end"),
        ]
    return joined(parts)


def x_axis(panel: Panel, scale: Scale, label: Callable[[float], str], title: str, ticks: Sequence[float]) -> Markup:
    """Return the line below a panel with values, and what they are."""
    parts = [rule(panel.left, panel.bottom, panel.right, panel.bottom, "axis")]
    free = -1e9
    for tick in ticks:
        x, said = scale(tick), label(tick)
        parts.append(rule(x, panel.bottom, x, panel.bottom + 5, "axis"))
        if x - len(said) * LETTER / 2 > free:
            parts.append(words(x, panel.bottom + 19, said, anchor="middle"))
            free = x + len(said) * LETTER / 2 + 4
    if title:
        parts.append(words(panel.right, panel.bottom + 37, title, "axis-title", "end"))
    return joined(parts)


def spread_out(wanted: Sequence[float], distance: float, lowest: float, highest: float) -> list[float]:
    """Move positions apart so that labels there do not cover each other, as little as it takes.

    Parameters
    ----------
    wanted : sequence of float
        Where each is to be, in any order.
    distance : float
        Between neighbours at least.
    lowest, highest : float
        Where the first and the last may be, if all have room between.
    """
    order = sorted(range(len(wanted)), key=lambda at: wanted[at])
    placed = [0.0] * len(wanted)
    previous = lowest - distance
    for at in order:
        placed[at] = previous = max(wanted[at], previous + distance)
    following = highest + distance
    for at in reversed(order):
        placed[at] = following = min(placed[at], following - distance)
    return placed


def markers(panel: Panel, marks: Sequence[tuple[float, str, str]], rows: int = 1) -> Markup:
    """Return upright lines through a panel with labels above it, in as many rows as it takes to read them all.

    Parameters
    ----------
    panel : Panel
        What they go through; above it there is room for the rows, of 15 pixels each.
    marks : sequence of (float, str, str)
        The pixel, the label and the class of each.
    rows : int
        How many rows of labels there may be.
    """
    parts = []
    taken: list[list[tuple[float, float]]] = [[] for _ in range(rows)]
    for x, said, class_ in sorted(marks):
        width = len(said) * LETTER + 8
        ends_right = x + width > panel.right + 20
        span = (x - width, x) if ends_right else (x, x + width)
        row = next(
            (row for row, spans in enumerate(taken) if all(span[1] < a or b < span[0] for a, b in spans)), rows - 1
        )
        for below in range(row):  # its line goes through those rows
            taken[below].append((x - 2, x + 2))
        taken[row].append(span)
        y = panel.top - 10 - 15 * row
        parts += [
            rule(x, y - 9, x, panel.bottom, f"marker {class_}"),
            words(x - 4 if ends_right else x + 4, y, said, "mark", "end" if ends_right else "start"),
        ]
    return joined(parts)


def labels_beside(points: Sequence[XY], said: Sequence[str]) -> Markup:
    """Return labels beside points, each where it covers no label before it; one that has no such place is left out."""
    parts: list[Markup] = []
    taken: list[tuple[float, float, float]] = []
    for label, (x, y) in zip(said, points, strict=True):
        half = len(label) * LETTER / 2
        beside = half + 8
        for px, py in ((x + beside, y - 6), (x - beside, y - 6), (x + beside, y + 15), (x - beside, y + 15)):
            if all(abs(px - ox) > half + other + 2 or abs(py - oy) > 13 for ox, oy, other in taken):
                taken.append((px, py, half))
                parts.append(words(px, py, label, "mark", "middle"))
                break
    return joined(parts)


def readouts(panel: Panel, slots: Sequence[tuple[float, str]], y: float) -> Markup:
    """Return what is to be read at the top right while the pointer is near one of some pixels.

    Parameters
    ----------
    panel : Panel
        Where the pointer is noticed.
    slots : sequence of (float, str)
        The pixel and the text of each, from left to right.
    y : float
        The text's baseline.
    """
    parts = []
    xs = [x for x, _ in slots]
    middles = [(a + b) / 2 for a, b in zip(xs, xs[1:], strict=False)]
    for (x, said), start, end in zip(slots, [panel.left, *middles], [*middles, panel.right], strict=True):
        parts.append(
            tag(
                "g",
                bar(start, panel.top, end - start, panel.bottom - panel.top, "hit"),
                tag(
                    "g",
                    rule(x, panel.top, x, panel.bottom, "cross"),
                    words(panel.right, y, said, "said", "end"),
                    class_="tip",
                ),
                class_="slot",
            )
        )
    return joined(parts)


def legend(x: float, y: float, entries: Sequence[tuple[str, str]]) -> Markup:
    """Return names beside samples of their colours, from left to right: (name, class) of each."""
    parts = []
    for name, class_ in entries:
        parts += [bar(x, y - 9, 10, 10, f"fill {class_}"), words(x + 15, y, name)]
        x += 15 + len(name) * LETTER + 18
    return joined(parts)


def _path(points: Iterable[XY]) -> str:
    pairs = [f"{number(x)} {number(y)}" for x, y in points]
    return "M" + "L".join(pairs)
