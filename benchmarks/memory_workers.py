"""The memory of several workers beside that of one server, and what it costs to read weights from the file they share.

``python -m benchmarks.memory_workers`` prints a JSON object. Memory is the proportional set size, summed over all
processes: a page that several of them have counts once. It is taken when every worker has answered.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.grid import Network
from benchmarks.memory import serving
from benchmarks.timing import take_turns, warm_up
from numbatch.client import Client
from numbatch.engine import load_model, set_compute_threads
from numbatch.engine.shared import SharedModels

# 403 MB of weights.
_LARGE = Network("large", (4096,) * 7)
_CELL = Network("2048x2048", (2048, 2048))
_ROWS = (1, 64)
_SECONDS = 4.0

# Connections are dealt out by the system; so many reach every worker.
_CONNECTIONS_EACH = 16


class Memory(NamedTuple):
    """The proportional set size of some processes, and the part of it that is no file's, in bytes."""

    all_bytes: int
    anonymous_bytes: int


def memory(workers: int, network: Network = _LARGE) -> dict[str, Any]:
    """Return the memory of one server and of workers with the same model, and how many times the one the other is."""
    with tempfile.TemporaryDirectory() as temporary:
        repository = Path(temporary)
        folder = repository / "bench" / "1"
        folder.mkdir(parents=True)
        (folder / "model.binpb").write_bytes(network.message().SerializeToString())
        one = _measured(repository, network, 1)
        several = _measured(repository, network, workers)
    ratio = several.all_bytes / one.all_bytes
    figures = {"weight_bytes": network.weight_bytes, "workers": workers, "ratio": ratio}
    return figures | {"one_server": one._asdict(), "all_workers": several._asdict()}


def mapped_weights() -> dict[str, float]:
    """Return how much longer a call takes with weights from the shared file than from memory of its own, by rows."""
    set_compute_threads(1)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as weights:
        models = {"own": load_model(_CELL.message()), "shared": SharedModels(Path(weights))(_CELL.message())}
        ratios = {}
        for rows in _ROWS:
            x = _CELL.batch(rows)
            calls = {name: partial(model.infer, x) for name, model in models.items()}
            us = take_turns(calls, warm_up(calls), _SECONDS, threads=1)
            ratios[f"{rows} rows"] = us["shared"] / us["own"]
    return ratios


def _measured(repository: Path, network: Network, workers: int) -> Memory:
    with serving(repository, "--http-listen", "", "--workers", str(workers)) as (pid, address):
        for _ in range(_CONNECTIONS_EACH * workers):
            with Client(address) as client:
                client.infer("bench", network.batch(1))
        found = [_proportional(process) for process in _family(pid)]
    return Memory(*(sum(sizes) for sizes in zip(*found, strict=True)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        yield from _family(int(child))


def _proportional(pid: int) -> Memory:
    lines = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    sizes = {name.rstrip(":"): 1024 * int(size) for name, size, *_ in lines}
    return Memory(sizes["Pss"], sizes["Pss_Anon"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=4, help="processes of the server (default: 4)")
    arguments = parser.parse_args()
    print(json.dumps({"memory": memory(arguments.workers), "shared_to_own_time": mapped_weights()}, indent=2))


if __name__ == "__main__":
    main()
