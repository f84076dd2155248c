"""What the service is to reach, as numbers that a run either shows or not."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

Cell: TypeAlias = Mapping[str, Any]

# Where computing takes less of the echo's time for a message, it is the service's overhead that is seen.
_LITTLE_COMPUTE = 0.1


class Target(NamedTuple):
    """A bound for one figure.

    Attributes
    ----------
    name : str
        As it is reported.
    figure : callable
        The figure of a cell; None if the target does not concern it.
    bound : float
        What it is to reach, or not to exceed.
    at_most : bool
        Which of the two.
    """

    name: str
    figure: Callable[[Cell], float | None]
    bound: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        """Return whether a figure is as it is to be."""
        return value <= self.bound if self.at_most else value >= self.bound


def _echo_ratio(cell: Cell) -> float | None:
    little = cell.get("compute_share", 1.0) < _LITTLE_COMPUTE and cell["workers"] == 1
    return cell.get("echo_ratio") if little else None


TARGETS = (
    Target("rate over the echo's, where compute is under a tenth of its time", _echo_ratio, 0.85),
    Target("rate over MLServer's", lambda cell: cell.get("peers", {}).get("mlserver"), 4.0),
)
OVERLOAD_TARGETS = (
    Target("goodput at 3 times the capacity, of the capacity", lambda found: found.get("goodput_share"), 0.9),
    Target("p99 of a refusal, us", lambda found: found.get("refused_p99_us"), 50_000, at_most=True),
)
IDLE_TARGETS = (Target("processor time when idle", lambda found: found.get("numbatch"), 0.01, at_most=True),)


def judge(targets: tuple[Target, ...], cells: list[Cell]) -> list[dict[str, Any]]:
    """Return for each target how many of the cells that it concerns meet it, and the worst."""
    found = []
    for target in targets:
        values = [(str(cell.get("case", "idle")), target.figure(cell)) for cell in cells]
        concerned = {name: value for name, value in values if value is not None}
        if concerned:
            worst = (max if target.at_most else min)(concerned, key=concerned.__getitem__)
            found.append(
                {
                    "name": target.name,
                    "bound": target.bound,
                    "at_most": target.at_most,
                    "cells": len(concerned),
                    "met": sum(map(target.met, concerned.values())),
                    "worst": concerned[worst],
                    "worst_case": worst,
                }
            )
    return found
