"""The engine against NumPy with OpenBLAS, one thread, in one run.

    python -m benchmarks.kernels [--json FILE] [--seconds S]

Both compute the same network, bias and ReLU included; the contenders take turns, and each figure is the median of its
turns. The ratio is NumPy's time over numbatch's: above 1 numbatch is faster.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numba
import numpy as np

from numbatch.engine import load_model
from numbatch.kernels.target import TARGET
from numbatch.v1.model_pb2 import Model
from numbatch.wire.models import array_of, dense, sequential

NETWORKS = ([10, 3, 5], [64, 64], [512, 32], [512, 512], [784, 512], [2048, 2048], [784, 512, 512, 10])
BATCHES = (1, 8, 32, 256, 1024)


def in_numpy(model: Model) -> Callable[[Any], Any]:
    """Return the network as a NumPy user writes it."""
    layers = [(array_of(layer.dense.kernel), array_of(layer.dense.bias)) for layer in model.layers]

    def run(x: Any) -> Any:
        for kernel, bias in layers:
            x = np.maximum(x @ kernel + bias, 0)
        return x

    return run


def compare(contenders: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    """Return the median time of each contender, in microseconds, measured in turns."""
    for run in contenders.values():
        run()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times["numbatch"]) < 5:
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) * 1e6 for name, values in times.items()}


def measure(widths: list[int], rows: int, seconds: float) -> dict[str, Any]:
    """Return one cell of the table."""
    message = sequential("bench", widths[:1], [dense(units, "relu") for units in widths[1:]], seed=0)
    model, peer = load_model(message), in_numpy(message)
    x = np.random.default_rng(0).standard_normal((rows, widths[0])).astype(np.float32)
    us = compare({"numbatch": lambda: model.run({"": x}), "numpy": lambda: peer(x)}, seconds)
    operations = 2 * rows * sum(a * b for a, b in zip(widths, widths[1:], strict=False))
    return {
        "network": "-".join(map(str, widths)),
        "m": rows,
        "threads": 1,
        "numbatch_us": us["numbatch"],
        "numbatch_gflops": operations / us["numbatch"] / 1e3,
        "peers": {"numpy": us["numpy"]},
        "ratio": us["numpy"] / us["numbatch"],
    }


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--seconds", type=float, default=0.5, help="for each cell (default: 0.5)")
    options = parser.parse_args()
    versions = {"python": platform.python_version(), "numpy": np.__version__, "numba": numba.__version__}
    print(f"{TARGET.name}, one thread, {', '.join(f'{name} {version}' for name, version in versions.items())}")
    print(f"{'network':>18} {'batch':>6} {'numbatch us':>12} {'GFLOP/s':>8} {'numpy us':>10} {'ratio':>6}")
    cells = []
    for widths in NETWORKS:
        for rows in BATCHES:
            cell = measure(widths, rows, options.seconds)
            cells.append(cell)
            print(
                f"{cell['network']:>18} {rows:>6} {cell['numbatch_us']:>12.1f} {cell['numbatch_gflops']:>8.1f} "
                f"{cell['peers']['numpy']:>10.1f} {cell['ratio']:>6.2f}",
                flush=True,
            )
    mean = statistics.geometric_mean(cell["ratio"] for cell in cells)
    print(f"geometric mean of the ratios: {mean:.2f}")
    if options.json:
        document = {"instruction_set": TARGET.name, "versions": versions, "cells": cells, "geometric_mean": mean}
        options.json.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
