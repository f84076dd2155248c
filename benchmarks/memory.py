"""The memory of a server: idle, with a large model, and while a new version takes the place of the one that answers.

    python -m benchmarks.memory [--megabytes 400] [--layers 10] [--json FILE]

Each row is a server process of its own. `peak` is the most that was resident since the row before (VmHWM, set back in
between); `beyond` is what is resident beyond the weights. Linux only.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import describe
from numbatch.cli.model_files import write_model
from numbatch.client import Client
from numbatch.models import Dense, Input, Sequential
from numbatch.models.initializers import RandomNormal
from numbatch.v1.model_pb2 import Model

MB = 10**6
EXAMPLE = Path(__file__).parent.parent / "models"
FORMS = ("inline", "safetensors")


class Row(NamedTuple):
    """Bytes: resident, of them those that are no file's, the most since the row before, those of the weights."""

    case: str
    resident: int
    anonymous: int
    peak: int
    weights: int


class Resident(NamedTuple):
    """The memory of a process, in bytes."""

    resident: int
    anonymous: int
    peak: int


def memory_of(pid: int) -> Resident:
    """Return what a process has, and set its peak back."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    sizes = {
        name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest
    }
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return Resident(sizes["VmRSS"], sizes["RssAnon"], sizes["VmHWM"])


def network(weights_bytes: int, layers: int) -> Model:
    """Return a chain of square layers of about so many bytes together."""
    width = int((weights_bytes / 4 / layers) ** 0.5)
    chain = [Dense(width, "relu", kernel_initializer=RandomNormal(stddev=1.0)) for _ in range(layers)]
    return Sequential([Input((width,)), *chain], seed=1).to_message("large")


def write(model: Model, repository: Path, form: str) -> int:
    """Write a model as version 1 in one of the forms, and return the size of its weights."""
    folder = repository / model.name / "1"
    if form == "safetensors":
        write_model(model, folder)
    else:
        folder.mkdir(parents=True)
        (folder / "model.binpb").write_bytes(model.SerializeToString())
    return sum(len(layer.dense.kernel.data) + len(layer.dense.bias.data) for layer in model.layers)


@contextlib.contextmanager
def serving(repository: Path, *options: str, **variables: str) -> Iterator[tuple[int, str]]:
    """Run a server with options, and variables in its environment; give its process and its address once it is ready.

    Raises
    ------
    RuntimeError
        If it does not start; it has said why.
    """
    command = [sys.executable, "-m", "numbatch.cli", "serve", "--json", "--model-repository", str(repository)]
    command += ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--log-level", "error", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | variables) as process:
        try:
            assert process.stdout is not None  # it is a pipe
            ready = process.stdout.readline()
            if not ready:
                raise RuntimeError(f"the server ended with {process.wait()}")
            yield process.pid, json.loads(ready)["address"]
        finally:
            process.terminate()


def idle() -> Iterator[Row]:
    """Measure a server with the example model: one that has to compile its kernels, and one that has them."""
    with tempfile.TemporaryDirectory() as cache, serving(EXAMPLE, NUMBATCH_CACHE_DIR=cache) as (pid, _):
        yield Row("the example model, kernels compiled", *memory_of(pid), 0)
    with serving(EXAMPLE) as (pid, address), Client(address) as client:
        yield Row("the example model, idle", *memory_of(pid), 0)
        for _ in range(1000):
            client.infer("digits", [[0.5] * 64] * 32)
        yield Row("the example model, 1000 requests later", *memory_of(pid), 0)


def large(form: str, weights_bytes: int, layers: int) -> Iterator[Row]:
    """Measure a server with a large model, and the change to a new version of it."""
    with tempfile.TemporaryDirectory(prefix="numbatch-memory-") as folder:
        repository = Path(folder)
        weights = write(network(weights_bytes, layers), repository, form)
        with serving(repository) as (pid, address), Client(address) as client:
            yield Row(f"{form}: loaded", *memory_of(pid), weights)
            shutil.copytree(repository / "large/1", repository / "large/2")
            assert client.load_model("large").model_version == 2
            yield Row(f"{form}: version 2 in the place of 1", *memory_of(pid), weights)


def table(rows: Sequence[Row]) -> str:
    """Return the rows for people."""
    lines = [f"{'MB':40}{'weights':>9}{'resident':>10}{'anonymous':>11}{'peak':>7}{'beyond':>8}"]
    for row in rows:
        sizes = [row.weights, row.resident, row.anonymous, row.peak, row.resident - row.weights]
        lines.append(
            f"{row.case:40}" + "".join(f"{size / MB:{w}.0f}" for size, w in zip(sizes, (9, 10, 11, 7, 8), strict=True))
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table, and write it as JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=400, help="of weights, float32")
    parser.add_argument("--layers", type=int, default=10, help="that share them")
    parser.add_argument("--json", type=Path, help="where to write the figures, in bytes")
    options = parser.parse_args()
    with serving(EXAMPLE):
        pass  # the kernels are compiled now, if they were not
    rows = [*idle()]
    for form in FORMS:
        rows += large(form, options.megabytes * MB, options.layers)
    print(table(rows))
    if options.json:
        figures = {"machine": describe(), "rows": [row._asdict() for row in rows]}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
