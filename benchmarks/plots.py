"""A plot for each network: GFLOP/s over the batch, every contender's, under the machine's roofline."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.contenders import PEERS
from benchmarks.grid import NETWORKS

matplotlib.rcParams["svg.hashsalt"] = "numbatch"  # the same figures make the same file

_COLOURS = {name: f"C{number}" for number, name in enumerate(("numbatch", *PEERS))}


def plot(cells: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write an SVG file for each network of the cells."""
    folder.mkdir(parents=True, exist_ok=True)
    for network in NETWORKS:
        chosen = [cell for cell in cells if cell["network"] == network.name]
        counts = sorted({cell["threads"] for cell in chosen})
        if not counts:
            continue
        figure = Figure(figsize=(6 * len(counts), 4.5), layout="constrained")
        for axes, threads in zip(figure.subplots(1, len(counts), sharey=True, squeeze=False)[0], counts, strict=True):
            _draw(axes, [cell for cell in chosen if cell["threads"] == threads], network.flops(1))
            axes.set_title(f"{network.name}, {threads} thread{'s' if threads > 1 else ''}")
        figure.savefig(folder / f"{_file_name(network.name)}.svg", metadata={"Date": None})


def _draw(axes: Axes, cells: Sequence[Mapping[str, Any]], flops_a_row: int) -> None:
    for name, colour in _COLOURS.items():
        points = []
        for cell in cells:
            us = cell.get("numbatch_us") if name == "numbatch" else cell["peers"].get(name)
            if us:
                points.append((cell["m"], cell["m"] * flops_a_row / us / 1e3))
        if points:
            rows, speed = zip(*points, strict=True)
            width = 2.5 if name == "numbatch" else 1
            axes.plot(rows, speed, marker="o", markersize=3, linewidth=width, color=colour, label=name)
    batches = [cell["m"] for cell in cells]
    roofs = [_roof(cell, cells, flops_a_row) for cell in cells]
    axes.plot(batches, roofs, "k--", linewidth=1, label="FMA peak, reading")
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(batches, [str(count) for count in batches])
    axes.set_xlabel("rows")
    axes.set_ylabel("GFLOP/s")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", loc="lower right")


def _roof(cell: Mapping[str, Any], cells: Sequence[Mapping[str, Any]], flops_a_row: int) -> float:
    """Return the most GFLOP/s that a cell can have: the peak, or what reading each weight once allows."""
    peak: float = cell["fma_peak_gflops"]
    bandwidth = next((other["read_gb_per_s"] for other in cells if "read_gb_per_s" in other), None)
    return min(peak, bandwidth * cell["m"] * flops_a_row / cell["weight_bytes"]) if bandwidth else peak


def _file_name(network: str) -> str:
    return network.replace("(", "").replace(")", "")
