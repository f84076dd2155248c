"""What the kernels are to reach, as numbers that a run either shows or not."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

Cell: TypeAlias = Mapping[str, Any]

GEOMETRIC_MEAN = 1.4

# Two threads of the FMA kernel share nothing: they do twice the work of one, unless others use the machine.
_QUIET = 1.9


def is_quiet(fma_speedup: float | None) -> bool:
    """Return whether a cell had the processors that it was to have; None, with one thread: always."""
    return fma_speedup is None or fma_speedup >= _QUIET


class Target(NamedTuple):
    """A least value of one figure, for the cells that it concerns.

    Attributes
    ----------
    name, figure : str
        How it is reported, and the cells' key.
    least : float
        The value to reach.
    concerns : callable
        Cell and bytes of the L2 cache to whether it concerns the cell.
    """

    name: str
    figure: str
    least: float
    concerns: Callable[[Cell, int], bool]


def _one_row_beyond_l2(cell: Cell, l2: int) -> bool:
    return bool(cell["threads"] == 1 and cell["m"] == 1 and cell["weight_bytes"] > l2)


TARGETS = (
    Target("no f32 peer faster, one thread", "ratio", 1.0, lambda cell, _: cell["threads"] == 1),
    Target(
        "share of the FMA peak, layers of 512 and more, from 64 rows, one thread",
        "fma_fraction",
        0.9,
        lambda cell, _: cell["threads"] == 1 and cell["m"] >= 64 and min(cell.get("k", 0), cell.get("n", 0)) >= 512,
    ),
    Target(
        "share of the read bandwidth, layers beyond L2, one row, one thread",
        "read_fraction",
        0.9,
        lambda cell, l2: _one_row_beyond_l2(cell, l2) and "k" in cell,
    ),
    Target(
        "two threads over one, from 1 ms of work",
        "speedup",
        1.8,
        lambda cell, _: cell["one_thread_us"] >= 1000,
    ),
    Target("bf16 weights over f32, beyond L2, one row, one thread", "bf16_speedup", 1.6, _one_row_beyond_l2),
)


def derive(cells: Sequence[dict[str, Any]]) -> None:
    """Add to the cells what follows from two figures: `speedup` of two threads, `bf16_speedup`."""
    one = {(cell["network"], cell["m"]): cell["numbatch_us"] for cell in _of_one_thread(cells)}
    for cell in cells:
        us = cell.get("numbatch_us")
        if us and cell["threads"] == 2 and (cell["network"], cell["m"]) in one:
            cell["one_thread_us"] = one[cell["network"], cell["m"]]
            cell["speedup"] = cell["one_thread_us"] / us
        if us and "numbatch_bf16_us" in cell:
            cell["bf16_speedup"] = us / cell["numbatch_bf16_us"]


def summarise(cells: Sequence[Cell], l2: int) -> dict[str, Any]:
    """Return the ratios in short, and how many of the cells that each target concerns reach it."""
    summary: dict[str, Any] = {}
    ratios = [cell for cell in _of_one_thread(cells) if "ratio" in cell]
    if ratios:
        worst = min(ratios, key=lambda cell: cell["ratio"])
        summary = {
            "geometric_mean": statistics.geometric_mean(cell["ratio"] for cell in ratios),
            "min_ratio": worst["ratio"],
            "min_ratio_cell": _name(worst),
            "cells_below_1": sum(cell["ratio"] < 1 for cell in ratios),
        }
    return summary | {"targets": [_reached(target, cells, l2) for target in TARGETS]}


def _reached(target: Target, cells: Sequence[Cell], l2: int) -> dict[str, Any]:
    concerned = [cell for cell in cells if target.figure in cell and target.concerns(cell, l2)]
    worst = min(concerned, key=lambda cell: cell[target.figure], default=None)
    return {
        "name": target.name,
        "least": target.least,
        "cells": len(concerned),
        "reached": sum(cell[target.figure] >= target.least for cell in concerned),
        "worst": worst[target.figure] if worst else math.nan,
        "worst_cell": _name(worst) if worst else "",
    }


def _of_one_thread(cells: Sequence[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell["threads"] == 1 and "numbatch_us" in cell]


def _name(cell: Cell) -> str:
    return f"{cell['network']}, batch {cell['m']}, threads {cell['threads']}"
