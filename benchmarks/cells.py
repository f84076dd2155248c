"""One cell of the table: a network, a batch, a number of threads, every contender."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.contenders import Bind, Call, Contender, Unavailable
from benchmarks.grid import Network
from benchmarks.roofline import Reading, multiplying
from benchmarks.timing import take_turns, warm_up

# A variant that is so much slower than another of the same contender does not stand for it.
_HOPELESS = 2.0

# A network of fewer bytes has no bandwidth to speak of.
_LEAST_READ = 16 << 10

_FMA, _READ = ("roofline", "fma"), ("roofline", "read")


def measure(
    network: Network,
    batches: Sequence[int],
    threads: int,
    contenders: Sequence[Contender],
    reading: Reading,
    seconds: float,
) -> Iterator[dict[str, Any]]:
    """Yield the cells of a network for these batches."""
    loaded = _load(network, threads, contenders)
    multiply, read = multiplying(threads), reading.of(network.weight_bytes, threads)
    for rows in batches:
        x = network.batch(rows)
        calls: dict[tuple[str, str], Any] = {}
        for contender, bind in loaded:
            if rows == 1 or not contender.batch_one_only:
                calls |= {(contender.name, variant): call for variant, call in bind(x).items()}
        _check({contender.name: contender.counts for contender, _ in loaded}, calls)
        calls[_FMA] = multiply.call
        if rows == 1 and network.weight_bytes >= _LEAST_READ:
            calls[_READ] = read.call
        estimates = warm_up(calls)
        calls = {key: call for key, call in calls.items() if not _is_hopeless(key, estimates)}
        us = take_turns(calls, estimates, seconds, settled=threads > 1)
        cell = _cell(network, rows, threads)
        cell |= _contenders(us, [contender.name for contender, _ in loaded if contender.counts])
        cell["fma_peak_gflops"] = multiply.amount / us[_FMA] / 1e3
        if _READ in us:
            cell["read_gb_per_s"] = read.amount / us[_READ] / 1e3
        if "numbatch_us" in cell:
            cell["gflops"] = network.flops(rows) / cell["numbatch_us"] / 1e3
            cell["fma_fraction"] = cell["gflops"] / cell["fma_peak_gflops"]
            if _READ in us:
                cell["read_fraction"] = network.weight_bytes / cell["numbatch_us"] / 1e3 / cell["read_gb_per_s"]
        yield cell


def _load(network: Network, threads: int, contenders: Sequence[Contender]) -> list[tuple[Contender, Bind]]:
    loaded = []
    for contender in contenders:
        try:
            loaded.append((contender, contender.load(network, threads)))
        except Unavailable as reason:
            print(f"{contender.name} is left out of {network.name}, threads: {threads}: {reason}")
    return loaded


def _check(counts: Mapping[str, bool], calls: Mapping[tuple[str, str], Call]) -> None:
    """Refuse to compare what does not compute the same; how exactly it does is for the tests to say."""
    expected = None
    for (name, variant), call in calls.items():
        y = np.array(call())
        expected = y if expected is None else expected
        tolerance = 1e-3 if counts[name] else 0.1
        if y.shape != expected.shape or np.abs(y - expected).max() > tolerance * np.abs(expected).max():
            raise ValueError(f"{name} ({variant}) computes something else")


def _is_hopeless(key: tuple[str, str], estimates: Mapping[tuple[str, str], float]) -> bool:
    best = min(seconds for (name, _), seconds in estimates.items() if name == key[0])
    return key[0] != "roofline" and estimates[key] > _HOPELESS * best


def _cell(network: Network, rows: int, threads: int) -> dict[str, Any]:
    layer = {"k": network.widths[0], "n": network.widths[1]} if network.is_layer else {}
    sizes = {"m": rows, "threads": threads, "weight_bytes": network.weight_bytes}
    return {"network": network.name} | layer | sizes


def _contenders(us: Mapping[tuple[str, str], float], counting: Sequence[str]) -> dict[str, Any]:
    """Return every contender's time, that of its fastest variant, and the ratio to the best peer that counts."""
    best: dict[str, float] = {}
    variants: dict[str, str] = {}
    for (name, variant), value in us.items():
        if name != "roofline" and value < best.get(name, math.inf):
            best[name], variants[name] = value, variant
    own = {name: best.pop(name) for name in ("numbatch", "numbatch_bf16") if name in best}
    found: dict[str, Any] = {f"{name}_us": value for name, value in own.items()}
    found |= {"peers": best, "variants": {name: variants[name] for name in best}}
    peers = [name for name in best if name in counting]
    if peers:
        found["best_peer"] = min(peers, key=best.__getitem__)
        if "numbatch" in own:
            found["ratio"] = best[found["best_peer"]] / own["numbatch"]
    return found
