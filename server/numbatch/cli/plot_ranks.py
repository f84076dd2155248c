"""In which rank of a drawing each box of a graph stands, and in which order there (Sugiyama, Tagawa and Toda, 1981).

1. Every box gets a rank, one more than the highest of what it takes; then it moves towards what takes it, where that
   makes no line longer.
2. A line that passes ranks gets a bend in each, which has a place there like a box.
3. Each rank is ordered by the mean place of the neighbours in the rank before, then after, to and fro; the order with
   the fewest crossings is kept.
"""

from bisect import bisect_right, insort
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

_SWEEPS = 12

# No box is called so.
_BEND = "\0"


class Wire(NamedTuple):
    """What leads from one box to another.

    Attributes
    ----------
    source, target : str
        The boxes.
    bends : tuple of str
        Its places in the ranks that it passes.
    """

    source: str
    target: str
    bends: tuple[str, ...]

    @property
    def stops(self) -> tuple[str, ...]:
        """The source, the bends, the target: one in each rank."""
        return (self.source, *self.bends, self.target)


class Ranks(NamedTuple):
    """A graph in ranks.

    Attributes
    ----------
    order : list of list of str
        The boxes and bends of each rank.
    wires : list of Wire
        In the order of the boxes and of what they take.
    """

    order: list[list[str]]
    wires: list[Wire]

    def segments(self) -> Iterator[tuple[str, str]]:
        """Yield what is joined between neighbouring ranks."""
        for wire in self.wires:
            yield from pairwise(wire.stops)


def is_bend(name: str) -> bool:
    """Return whether a place is that of a bend."""
    return name.startswith(_BEND)


def ranks_of(taken: Mapping[str, Sequence[str]]) -> Ranks:
    """Put a graph into ranks.

    Parameters
    ----------
    taken : mapping of str to sequence of str
        What each box takes, in an order in which each comes after that.
    """
    rank = _ranked(taken)
    order: list[list[str]] = [[] for _ in range(max(rank.values()) + 1)]
    for name in taken:
        order[rank[name]].append(name)
    wires: list[Wire] = []
    for target, sources in taken.items():
        for source in sources:
            passed = range(rank[source] + 1, rank[target])
            bends = tuple(f"{_BEND}{len(wires)}.{between}" for between in passed)
            for between, bend in zip(passed, bends, strict=True):
                order[between].append(bend)
            wires.append(Wire(source, target, bends))
    return _ordered(Ranks(order, wires))


def _ranked(taken: Mapping[str, Sequence[str]]) -> dict[str, int]:
    rank: dict[str, int] = {}
    takers: dict[str, list[str]] = {name: [] for name in taken}
    for name, sources in taken.items():
        rank[name] = 1 + max((rank[source] for source in sources), default=-1)
        for source in sources:
            takers[source].append(name)
    for name in reversed(list(taken)):
        if takers[name] and len(taken[name]) <= len(takers[name]):
            rank[name] = min(rank[taker] for taker in takers[name]) - 1
    return rank


def _ordered(ranks: Ranks) -> Ranks:
    before: dict[str, list[str]] = {name: [] for rank in ranks.order for name in rank}
    after: dict[str, list[str]] = {name: [] for name in before}
    for source, target in ranks.segments():
        after[source].append(target)
        before[target].append(source)
    order = [list(rank) for rank in ranks.order]
    best, fewest = order, _crossings(order, after)
    for sweep in range(_SWEEPS):
        if not fewest:
            break
        neighbours, steps = (before, order[1:]) if sweep % 2 == 0 else (after, order[-2::-1])
        previous = order[0] if sweep % 2 == 0 else order[-1]
        for rank in steps:
            place = {name: i for i, name in enumerate(previous)}
            here = {name: i for i, name in enumerate(rank)}
            rank.sort(key=lambda name: _mean([place[each] for each in neighbours[name]], here[name]))
            previous = rank
        crossings = _crossings(order, after)
        if crossings < fewest:
            best, fewest = [list(rank) for rank in order], crossings
    return ranks._replace(order=best)


def _crossings(order: Sequence[Sequence[str]], after: Mapping[str, Sequence[str]]) -> int:
    """Return how many pairs of segments cross."""
    crossings = 0
    for rank, following in pairwise(order):
        place = {name: i for i, name in enumerate(following)}
        seen: list[int] = []
        for name in rank:
            ends = sorted(place[each] for each in after[name])
            crossings += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return crossings


def _mean(places: Sequence[int], default: float) -> float:
    return sum(places) / len(places) if places else default
