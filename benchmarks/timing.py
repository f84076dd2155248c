"""Contenders take turns: every round each has one turn, and its figure is the median of its turns.

What disturbs the machine for a while disturbs all of them. A turn is one call that is not timed, which wakes a
contender's threads and brings its weights back to the caches, and then as many calls as its share of the time
allows, at least one. With one thread, turns in which another process had the processor are left out.
"""

import gc
import itertools
import math
import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

Name = TypeVar("Name", bound=Hashable)

MIN_ROUNDS, MAX_ROUNDS = 7, 21

_WARM_UP_CALLS = 3

# Two threads of the FMA kernel: as fast as one for the first 5 to 20 ms, on a kernel that packs.
_LEAD_S = 0.03

# A turn of one thread is interrupted if the process was off the processor for more than this part of it.
_INTERRUPTED = 0.02
_LEAST_TURNS = 3


def warm_up(calls: Mapping[Name, Callable[[], Any]]) -> dict[Name, float]:
    """Return roughly the seconds that each call takes, once it has compiled and allocated what it will."""
    seconds = {}
    for name, call in calls.items():
        call()
        seconds[name] = min(_timed(call, 1).seconds for _ in range(_WARM_UP_CALLS))
    return seconds


def take_turns(
    calls: Mapping[Name, Callable[[], Any]], estimates: Mapping[Name, float], seconds: float, *, threads: int
) -> dict[Name, float]:
    """Return the median microseconds of each call.

    Parameters
    ----------
    calls : mapping of name to callable
        The contenders.
    estimates : mapping of name to float
        From `warm_up`.
    seconds : float
        About so much for all timed calls together, unless `MIN_ROUNDS` of one call each take longer.
    threads : int
        That the calls use. With several: wait before each turn until the threads that others left spinning sleep.
    """
    rounds = round(seconds / sum(estimates.values()) / 2)
    rounds = min(max(rounds, MIN_ROUNDS), MAX_ROUNDS)
    share = seconds / rounds / len(calls)
    counts = {name: max(1, math.ceil(share / estimates[name])) for name in calls}
    turns: dict[Name, list[_Turn]] = {name: [] for name in calls}
    order = list(calls)
    with _no_collection():
        for _ in range(rounds):
            for name in order:
                if threads > 1:
                    _settle()
                    _lead(calls[name])
                calls[name]()
                turns[name].append(_timed(calls[name], counts[name]))
            order.append(order.pop(0))  # nobody comes first, or after the same neighbour, every time
    return {name: _median(found if threads > 1 else _uninterrupted(found)) * 1e6 for name, found in turns.items()}


def _lead(call: Callable[[], Any]) -> None:
    """Call for a while: schedulers that pack threads on few processors spread them only once they have been busy."""
    end = time.perf_counter() + _LEAD_S
    while time.perf_counter() < end:
        call()


class _Turn(NamedTuple):
    """Seconds of a call, and the part of the turn in which the process was off the processor."""

    seconds: float
    off: float


def _timed(call: Callable[[], Any], count: int) -> _Turn:
    start, on = time.perf_counter(), time.process_time()
    for _ in itertools.repeat(None, count):
        call()
    seconds, on = time.perf_counter() - start, time.process_time() - on
    return _Turn(seconds / count, 1 - on / seconds)


def _uninterrupted(turns: list[_Turn]) -> list[_Turn]:
    """Return the turns that were not interrupted; those that were least, where hardly any was not."""
    quietest = sorted(turns, key=lambda turn: turn.off)
    count = sum(turn.off <= _INTERRUPTED for turn in turns)
    return quietest[: max(count, _LEAST_TURNS)]


def _median(turns: list[_Turn]) -> float:
    return statistics.median(turn.seconds for turn in turns)


def _settle(step: float = 0.001, patience: float = 0.2) -> None:
    """Sleep until this process uses next to no processor time."""
    end = time.perf_counter() + patience
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(step)
        if time.process_time() - before < step / 5:
            return


@contextmanager
def _no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
