"""The kernels against their peers on one table: layers and networks, batches, one thread and two.

    python -m benchmarks.kernels --json FILE [--plots FOLDER] [--only PATTERN] [--batches 1,64] [--threads 1]
        [--peers numpy,onnxruntime] [--seconds S] [--no-startup]

README.md says how they are compared and how to read the figures.
"""

import argparse
import fnmatch
import importlib.util
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.bandwidth import Bandwidth
from benchmarks.cells import measure
from benchmarks.contenders import PEERS, contenders
from benchmarks.grid import BATCHES, NETWORKS, Network
from benchmarks.machine import caches, describe
from benchmarks.report import conclusion, heading, line, versions, write
from benchmarks.startup import startup
from benchmarks.targets import derive, summarise


def main() -> None:
    """Print the table, and write it as JSON and plots where asked."""
    options = _options()
    taking_part = contenders(["numbatch", "numbatch_bf16", *options.peers])
    peers = [contender.name for contender in taking_part if contender.name in options.peers]
    document: dict[str, Any] = {"machine": describe()} | versions(taking_part)
    print(", ".join(f"{name} {value}" for name, value in (document["machine"] | document["versions"]).items()))
    if options.startup:
        document["startup"] = startup()
    bandwidth = Bandwidth(options.threads, caches())
    bandwidth.measure()
    cells: list[dict[str, Any]] = []
    print(heading(peers))
    for network in _chosen(options.only):
        for threads in options.threads:
            made = measure(
                network,
                options.batches,
                threads,
                taking_part,
                bandwidth.reading,
                seconds=options.seconds,
                attempts=options.attempts,
            )
            for cell in made:
                cells.append(cell)
                print(line(cell, peers), flush=True)
        bandwidth.measure()
        document |= _results(cells, bandwidth)
        if options.json:
            write(document, options.json)  # after each network: a run that is stopped leaves what it has
    print(conclusion(document))
    if folder := options.plots or (options.json and options.json.parent):
        _plot(cells, folder)


def _results(cells: list[dict[str, Any]], bandwidth: Bandwidth) -> dict[str, Any]:
    derive(cells)
    peaks: dict[str, list[float]] = {}
    for cell in cells:
        peaks.setdefault(str(cell["threads"]), []).append(cell["fma_peak_gflops"])
    by_threads = {threads: statistics.median(found) for threads, found in peaks.items()}
    by_size = bandwidth.medians()
    results: dict[str, Any] = {
        # With the fewest threads; reading from memory, the largest working set.
        "fma_peak_gflops": next(iter(by_threads.values())),
        "fma_peak_gflops_by_threads": by_threads,
        "read_gb_per_s": list(next(iter(by_size.values())).values())[-1],
        "read_gb_per_s_by_working_set": by_size,
    }
    for cell in cells:
        if (cell["network"], cell["m"], cell["threads"]) == ("10-3-5", 1, 1) and "numbatch_us" in cell:
            results["dispatch_us"] = {"numbatch": cell["numbatch_us"]} | cell["peers"]
    return results | {"summary": summarise(cells, caches().get("L2", 0)), "cells": cells}


def _plot(cells: Sequence[dict[str, Any]], folder: Path) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        print("no plots: matplotlib is not installed")
        return
    from benchmarks.plots import plot

    plot(cells, folder)


def _chosen(pattern: str) -> list[Network]:
    return [network for network in NETWORKS if fnmatch.fnmatchcase(network.name, pattern)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--plots", type=Path, help="draw the plots in this folder (default: beside the JSON)")
    parser.add_argument("--seconds", type=float, default=0.5, help="of timed calls for each cell (default: 0.5)")
    parser.add_argument("--attempts", type=int, default=1, help="at a disturbed cell of two threads (default: 1)")
    parser.add_argument("--only", default="*", help="networks, as a pattern: '512x*'")
    parser.add_argument("--batches", type=_list_of(int), default=BATCHES, help="rows, with commas")
    parser.add_argument("--threads", type=_list_of(int), default=(1, 2), help="1, 2 or 1,2 (default)")
    parser.add_argument("--peers", type=_list_of(str), default=PEERS, help=f"of {','.join(PEERS)} (default: all)")
    parser.add_argument("--no-startup", dest="startup", action="store_false", help="do not measure starting")
    options = parser.parse_args()
    if unknown := set(options.peers) - set(PEERS):
        parser.error(f"no such peers: {', '.join(sorted(unknown))}")
    if not set(options.threads) <= {1, 2}:
        parser.error("--threads takes 1, 2 or 1,2")
    if not _chosen(options.only):
        parser.error(f"no network is called {options.only}; there are {', '.join(n.name for n in NETWORKS)}")
    return options


def _list_of(convert: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    return lambda text: [convert(part) for part in text.split(",") if part]


if __name__ == "__main__":
    main()
