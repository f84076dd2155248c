"""One cell of the table: a network, a batch, a number of threads, every contender."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.contenders import Bind, Call, Contender
from benchmarks.grid import Network
from benchmarks.roofline import Reading, Work, multiplying
from benchmarks.targets import is_quiet
from benchmarks.timing import take_turns, warm_up

# A variant that is so much slower than another of the same contender does not stand for it.
_HOPELESS = 2.0

# A network of fewer bytes has no bandwidth to speak of.
_LEAST_READ = 16 << 10

# What takes turns beside the contenders.
_FMA, _FMA_ALONE, _READ = ("roofline", "fma"), ("roofline", "fma, one thread"), ("roofline", "read")


def measure(
    network: Network,
    batches: Sequence[int],
    threads: int,
    contenders: Sequence[Contender],
    reading: Reading,
    *,
    seconds: float,
    attempts: int,
) -> Iterator[dict[str, Any]]:
    """Yield the cells of a network for these batches.

    Parameters
    ----------
    seconds : float
        Of timed calls for each cell.
    attempts : int
        How often a cell of two threads is measured, at most, until both had a processor.
    """
    loaded = _load(network, threads, contenders)
    limits = {_FMA: multiplying(threads)}
    if threads > 1:
        limits[_FMA_ALONE] = multiplying(1)
    for rows in batches:
        x = network.batch(rows)
        calls: dict[tuple[str, str], Any] = {}
        for contender, bind in loaded:
            if rows == 1 or not contender.batch_one_only:
                calls |= {(contender.name, variant): call for variant, call in bind(x).items()}
        _check({contender.name: contender.counts for contender, _ in loaded}, calls)
        bounds = dict(limits)
        if rows == 1 and network.weight_bytes >= _LEAST_READ:
            bounds[_READ] = reading.of(network.weight_bytes, threads)
        calls |= {key: work.call for key, work in bounds.items()}
        us = _turns(calls, bounds, threads, seconds, attempts)
        cell = _sizes(network, rows, threads)
        cell |= _contenders(us, [contender.name for contender, _ in loaded if contender.counts])
        yield cell | _against(bounds, us, cell)


def _turns(
    calls: Mapping[tuple[str, str], Call],
    bounds: Mapping[tuple[str, str], Work],
    threads: int,
    seconds: float,
    attempts: int,
) -> dict[tuple[str, str], float]:
    """Return the median microseconds of each call, of the attempt that was disturbed least."""
    estimates = warm_up(calls)
    calls = {key: call for key, call in calls.items() if not _is_hopeless(key, estimates)}
    tries: list[dict[tuple[str, str], float]] = []
    while len(tries) < attempts and not (tries and is_quiet(_fma_speedup(bounds, tries[-1]))):
        tries.append(take_turns(calls, estimates, seconds, threads=threads))
    return min(tries, key=lambda us: us[_FMA])


def _load(network: Network, threads: int, contenders: Sequence[Contender]) -> list[tuple[Contender, Bind]]:
    return [(contender, contender.load(network, threads)) for contender in contenders]


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


def _fma_speedup(bounds: Mapping[tuple[str, str], Work], us: Mapping[tuple[str, str], float]) -> float | None:
    if _FMA_ALONE not in bounds:
        return None
    return bounds[_FMA].rate(us[_FMA]) / bounds[_FMA_ALONE].rate(us[_FMA_ALONE])


def _sizes(network: Network, rows: int, threads: int) -> dict[str, Any]:
    layer = {"k": network.widths[0], "n": network.widths[1]} if network.is_layer else {}
    sizes = {"m": rows, "threads": threads, "weight_bytes": network.weight_bytes, "flops": network.flops(rows)}
    return {"network": network.name} | layer | sizes


def _against(
    bounds: Mapping[tuple[str, str], Work], us: Mapping[tuple[str, str], float], cell: Mapping[str, Any]
) -> dict[str, float]:
    """Return what the machine could do in these turns, and how much of that we did."""
    found = {"fma_peak_gflops": bounds[_FMA].rate(us[_FMA])}
    if (speedup := _fma_speedup(bounds, us)) is not None:
        found["fma_speedup"] = speedup
    if _READ in us:
        found["read_gb_per_s"] = bounds[_READ].rate(us[_READ])
    if own_us := cell.get("numbatch_us"):
        found["gflops"] = cell["flops"] / own_us / 1e3
        found["fma_fraction"] = found["gflops"] / found["fma_peak_gflops"]
        if _READ in us:
            found["read_fraction"] = cell["weight_bytes"] / own_us / 1e3 / found["read_gb_per_s"]
    return found


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
