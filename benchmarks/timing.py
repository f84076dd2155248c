"""Contenders take turns: every round each has one turn, and its figure is the median of its turns.

What disturbs the machine for a while disturbs all of them. A turn is one call that is not timed, which wakes a
contender's threads and brings its weights back to the caches, and then as many calls as its share of the time
allows, at least one.
"""

import gc
import itertools
import math
import statistics
import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

Name = TypeVar("Name", bound=Hashable)

MIN_ROUNDS, MAX_ROUNDS = 7, 21

_WARM_UP_CALLS = 3


def warm_up(calls: Mapping[Name, Callable[[], Any]]) -> dict[Name, float]:
    """Return roughly the seconds that each call takes, once it has compiled and allocated what it will."""
    seconds = {}
    for name, call in calls.items():
        call()
        seconds[name] = min(_timed(call, 1) for _ in range(_WARM_UP_CALLS))
    return seconds


def take_turns(
    calls: Mapping[Name, Callable[[], Any]], estimates: Mapping[Name, float], seconds: float, *, settled: bool
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
    settled : bool
        Wait before each turn until the threads that others left spinning sleep.
    """
    rounds = round(seconds / sum(estimates.values()) / 2)
    rounds = min(max(rounds, MIN_ROUNDS), MAX_ROUNDS)
    share = seconds / rounds / len(calls)
    counts = {name: max(1, math.ceil(share / estimates[name])) for name in calls}
    turns: dict[Name, list[float]] = {name: [] for name in calls}
    order = list(calls)
    with _no_collection():
        for _ in range(rounds):
            for name in order:
                if settled:
                    _settle()
                calls[name]()
                turns[name].append(_timed(calls[name], counts[name]))
            order.append(order.pop(0))  # nobody comes first, or after the same neighbour, every time
    return {name: statistics.median(times) * 1e6 for name, times in turns.items()}


def _timed(call: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in itertools.repeat(None, count):
        call()
    return (time.perf_counter() - start) / count


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
