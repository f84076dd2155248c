"""Where the boxes and wires of a graph go.

Its ranks stand below each other. In a rank, each place is as near to its neighbours in the ranks beside as the others
allow: the positions with the least squares of the distances, at a distance from each other, are an isotonic regression.
Short wires count most, so that a chain stays straight and what skips a part of it goes around.

Everything is computed from top to bottom; from left to right is the same with x and y exchanged.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from numbatch.cli.plot_ranks import Ranks, Wire, is_bend, ranks_of

Size = tuple[float, float]
Point = tuple[float, float]

# Between boxes of a rank, and what a bend keeps free.
_BOX_GAP = 22.0
_BEND_WIDTH = 6.0
_SWEEPS = 30

# Between ranks: more where wires go far to the side, so that none is all but level.
_LEAST_GAP, _MOST_GAP, _SLOPE = 36.0, 120.0, 0.12

# How much a segment of a wire is to be straight: from box to box, at the ends of a wire with bends, between bends.
_SHORT, _END, _LONG = 16.0, 0.001, 2.0

# Wires come in and go out on so much of a box's side, so far apart.
_SIDE, _LEAST_STEP, _MOST_STEP = 0.8, 8.0, 20.0


class Line(NamedTuple):
    """What leads from one box to another.

    Attributes
    ----------
    source, target : str
        The boxes.
    points : tuple of (float, float)
        From the side of the one to the side of the other. Within each rank that it passes it is straight: between the
        points 0 and 1, 2 and 3 and so on; it may bend between the others.
    skips : bool
        Whether it passes a rank.
    """

    source: str
    target: str
    points: tuple[Point, ...]
    skips: bool


class Layout(NamedTuple):
    """A graph on a plane.

    Attributes
    ----------
    size : (float, float)
        Width and height of all of it.
    centres : dict of str to (float, float)
        The middle of each box.
    sizes : dict of str to (float, float)
        Width and height of each: as asked for, or larger where many lines meet.
    lines : tuple of Line
        In the order of the boxes and of what they take.
    down : bool
        Whether it goes from top to bottom. False: from left to right.
    """

    size: Size
    centres: dict[str, Point]
    sizes: dict[str, Size]
    lines: tuple[Line, ...]
    down: bool


def lay_out(taken: Mapping[str, Sequence[str]], sizes: Mapping[str, Size]) -> Layout:
    """Lay a graph out from top to bottom or from left to right, whichever is less long.

    Parameters
    ----------
    taken : mapping of str to sequence of str
        What each box takes, in an order in which each comes after that.
    sizes : mapping of str to (float, float)
        Width and height of each box.
    """
    ranks = ranks_of(taken)
    down = _downwards(ranks, sizes)
    turned = _downwards(ranks, {name: (height, width) for name, (width, height) in sizes.items()})
    right = Layout(
        _exchanged(turned.size),
        {name: _exchanged(centre) for name, centre in turned.centres.items()},
        {name: _exchanged(size) for name, size in turned.sizes.items()},
        tuple(line._replace(points=tuple(map(_exchanged, line.points))) for line in turned.lines),
        down=False,
    )
    return min(down, right, key=lambda layout: max(layout.size))


def _downwards(ranks: Ranks, sizes: Mapping[str, Size]) -> Layout:
    meeting = Counter(name for wire in ranks.wires for name in (("in", wire.target), ("out", wire.source)))
    boxes = {
        name: (max(width, max(meeting["in", name], meeting["out", name]) * _LEAST_STEP / _SIDE), height)
        for name, (width, height) in sizes.items()
    }
    widths = {name: boxes[name][0] if name in boxes else _BEND_WIDTH for rank in ranks.order for name in rank}
    x = _aligned(ranks, widths)
    y, bottom = dict[str, tuple[float, float]](), 0.0
    for rank, gap in zip(ranks.order, _gaps(ranks, x), strict=True):
        top = bottom + gap
        bottom = top + max(boxes[name][1] for name in rank if name in boxes)
        y |= dict.fromkeys(rank, (top, bottom))
    centres = {name: (x[name], sum(y[name]) / 2) for name in boxes}
    starts, ends = _ports(ranks.wires, x, widths)
    lines = []
    for i, wire in enumerate(ranks.wires):
        first = (starts[i], centres[wire.source][1] + boxes[wire.source][1] / 2)
        last = (ends[i], centres[wire.target][1] - boxes[wire.target][1] / 2)
        passed = [(x[bend], edge) for bend in wire.bends for edge in y[bend]]
        points = [first, (starts[i], y[wire.source][1]), *passed, (ends[i], y[wire.target][0]), last]
        lines.append(Line(wire.source, wire.target, tuple(points), bool(wire.bends)))
    width = max(x[name] + widths[name] / 2 for name in x)
    return Layout((width, bottom), centres, boxes, tuple(lines), down=True)


def _gaps(ranks: Ranks, x: Mapping[str, float]) -> list[float]:
    """Return how far each rank is below the one before it."""
    place = {name: i for i, rank in enumerate(ranks.order) for name in rank}
    gaps = [0.0] + [_LEAST_GAP] * (len(ranks.order) - 1)
    for source, target in ranks.segments():
        i = place[target]
        gaps[i] = max(gaps[i], min(_MOST_GAP, _SLOPE * abs(x[target] - x[source])))
    return gaps


def _aligned(ranks: Ranks, widths: Mapping[str, float]) -> dict[str, float]:
    """Return the middle of each place in its rank; the leftmost begins at 0."""
    before: dict[str, list[tuple[str, float]]] = {name: [] for name in widths}
    after: dict[str, list[tuple[str, float]]] = {name: [] for name in widths}
    for source, target in ranks.segments():
        weight = (_SHORT, _END, _LONG)[is_bend(source) + is_bend(target)]
        after[source].append((target, weight))
        before[target].append((source, weight))
    x: dict[str, float] = {}
    for rank in ranks.order:
        x |= _placed(rank, widths, [(0.0, 1.0)] * len(rank))
    for sweep in range(_SWEEPS):
        last = sweep >= _SWEEPS - 2
        for rank in ranks.order if sweep % 2 == 0 else reversed(ranks.order):
            pulls = []
            for name in rank:
                beside = before[name] + after[name] if last else (before, after)[sweep % 2][name]
                weight = sum(each for _, each in beside)
                pulls.append(
                    (sum(x[other] * each for other, each in beside) / weight, weight) if weight else (x[name], _END)
                )
            x |= _placed(rank, widths, pulls)
    left = min(x[name] - widths[name] / 2 for name in x)
    return {name: middle - left for name, middle in x.items()}


def _placed(rank: Sequence[str], widths: Mapping[str, float], pulls: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return the places in a rank that are nearest to where they are pulled, by weight, and keep their distance."""
    offsets = [0.0]
    for left, right in pairwise(rank):
        offsets.append(offsets[-1] + (widths[left] + widths[right]) / 2 + _BOX_GAP)
    # Pool adjacent violators: blocks that would overlap become one, at the mean of what pulls them.
    blocks: list[tuple[float, float, int]] = []
    for (wanted, weight), offset in zip(pulls, offsets, strict=True):
        at, heavy, members = wanted - offset, weight, 1
        while blocks and blocks[-1][0] >= at:
            other, other_weight, other_members = blocks.pop()
            at = (at * heavy + other * other_weight) / (heavy + other_weight)
            heavy, members = heavy + other_weight, members + other_members
        blocks.append((at, heavy, members))
    starts = [at for at, _, members in blocks for _ in range(members)]
    return {name: start + offset for name, start, offset in zip(rank, starts, offsets, strict=True)}


def _ports(
    wires: Sequence[Wire], x: Mapping[str, float], widths: Mapping[str, float]
) -> tuple[dict[int, float], dict[int, float]]:
    """Return where on the sides of their boxes the wires begin and end, in the order of where they come from."""
    leaving: dict[str, list[int]] = {}
    arriving: dict[str, list[int]] = {}
    for i, wire in enumerate(wires):
        leaving.setdefault(wire.source, []).append(i)
        arriving.setdefault(wire.target, []).append(i)
    starts, ends = dict[int, float](), dict[int, float]()
    for name, those in leaving.items():
        those.sort(key=lambda i: (x[wires[i].stops[1]], i))
        starts |= _spread(those, wires, x[name], widths[name])
    for name, those in arriving.items():
        those.sort(key=lambda i: (x[wires[i].stops[-2]], i))
        ends |= _spread(those, wires, x[name], widths[name])
    return starts, ends


def _spread(those: Sequence[int], wires: Sequence[Wire], middle: float, width: float) -> dict[int, float]:
    """Return where some wires meet a side, around the only one that passes no rank, if there is one."""
    step = min(_SIDE * width / len(those), _MOST_STEP)
    short = [i for i, wire in enumerate(those) if not wires[wire].bends]
    centre = short[0] if len(short) == 1 and len(those) <= 3 else (len(those) - 1) / 2
    return {wire: middle + (i - centre) * step for i, wire in enumerate(those)}


def _exchanged(pair: tuple[float, float]) -> tuple[float, float]:
    return pair[1], pair[0]
