"""What the demo found, for people and for programs."""

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from numbatch.cli import drawing
from numbatch.cli.demo_models import GREY_LEVELS, IMAGE_SIDE, MODEL, HeldOut
from numbatch.cli.server_process import ServerProcess
from numbatch.v1.repository_pb2 import ModelMetadata
from numbatch.wire.tensors import shape_text

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Findings:
    """What the demo found.

    Attributes
    ----------
    data : HeldOut
        What was streamed.
    metadata : ModelMetadata
        What the server says of the model.
    predictions : ndarray of shape (rows,)
        The digit that the model sees on each image.
    accuracy : float
        The share of right ones, 0 to 1.
    shown : int
        The position of the image that is shown.
    layers : dict of str to ndarray
        The outputs of all layers for that image.
    minibatch_rows, timed_rows, timed_s : int, int, float
        The rows of a minibatch, the rows that were streamed in the timed pass, and the seconds that it took.
    """

    data: HeldOut
    metadata: ModelMetadata
    predictions: Array
    accuracy: float
    shown: int
    layers: dict[str, Array]
    minibatch_rows: int
    timed_rows: int
    timed_s: float


def as_json(found: Findings, server: ServerProcess, *, kept: bool) -> str:
    """Return one JSON object."""
    report: dict[str, Any] = {
        "model": MODEL,
        "rows": len(found.predictions),
        "accuracy": found.accuracy,
        "rows_per_second": round(found.timed_rows / found.timed_s, 1),
        "timed_rows": found.timed_rows,
        "timed_seconds": round(found.timed_s, 6),
        "minibatch_rows": found.minibatch_rows,
        "server_start_seconds": round(server.start_up_s, 3),
        "instruction_set": found.metadata.instruction_set,
        "layers": [
            {"name": name, "shape": list(array.shape), "min": float(array.min()), "max": float(array.max())}
            for name, array in found.layers.items()
        ],
    }
    if kept:
        report["server"] = {"address": server.address, "pid": server.pid, "log": str(server.log)}
    return json.dumps(report)


def as_text(found: Findings, server: ServerProcess, *, kept: bool) -> str:
    """Return the report for people."""
    return "\n".join(
        [*_facts(found, server), "", *_picture(found), "", *_speed(found), "", *_next(found, server, kept)]
    )


def _facts(found: Findings, server: ServerProcess) -> Iterator[str]:
    rows = len(found.predictions)
    right = round(found.accuracy * rows)
    layers = [*found.metadata.inputs[0].shape, *(layer.output_shape[-1] for layer in found.metadata.layers)]
    parameters = sum(layer.parameter_count for layer in found.metadata.layers)
    yield f"server    process {server.pid} on {server.address}, ready in {server.start_up_s:.1f} s"
    yield f"model     {MODEL}: {' > '.join(map(str, layers))}, {parameters:,} parameters, {_kernels(found)}"
    yield f"accuracy  {found.accuracy:.2%}: {right} of {rows} images that it was not trained with"


def _picture(found: Findings) -> Iterator[str]:
    pixels = found.data.pixels[found.shown]
    yield f"What every layer makes of image {found.shown}, which shows a {found.data.labels[found.shown]}:"
    yield ""
    yield from _indented(drawing.image(pixels.reshape(IMAGE_SIDE, IMAGE_SIDE), GREY_LEVELS))
    *hidden, (last, probabilities) = found.layers.items()
    for name, array in hidden:
        yield ""
        yield _heading(name, array)
        yield from _indented([drawing.columns(array)])
    yield ""
    yield _heading(last, probabilities)
    yield from _indented(drawing.bars(found.metadata.metadata["classes"].split(","), probabilities))


def _speed(found: Findings) -> Iterator[str]:
    rate, size = found.timed_rows / found.timed_s, found.minibatch_rows
    yield f"speed     {rate:,.0f} rows/s: {found.timed_rows:,} rows in {found.timed_s:.1f} s, in minibatches of {size},"
    yield f"          one stream of one Python client, which shares {os.cpu_count()} CPUs with the server"


def _next(found: Findings, server: ServerProcess, kept: bool) -> Iterator[str]:
    program, images = _program(), _path(found.data.path)
    model = _path(found.data.path.parent)
    yield "Next:"
    if kept:
        yield f"  {program} health {MODEL} --server {server.address}"
        yield f"  {program} infer {MODEL} {images} --server {server.address}"
        yield f"  {program} loadtest {MODEL} --duration 10 --html report.html --server {server.address}"
        yield f"  {program} model inspect {model}"
        yield ""
        yield f"The server runs on. `kill {server.pid}` stops it; its log is {server.log}."
    else:
        yield f"  {program} serve --model-repository {_path(found.data.path.parents[1])}    # until Ctrl-C"
        yield f"  {program} infer {MODEL} {images}    # in a second terminal"
        yield f"  {program} model inspect {model}"


def _kernels(found: Findings) -> str:
    return f"arithmetic {found.metadata.numeric_contract}, {found.metadata.instruction_set} kernels"


def _heading(name: str, array: Array) -> str:
    return f"  {name} {shape_text(array.shape)}  {array.min():.3g} to {array.max():.3g}"


def _indented(lines: list[str]) -> Iterator[str]:
    return (f"    {line}".rstrip() for line in lines)


def _program() -> str:
    """Return what to type for this program, here."""
    started_as = Path(sys.argv[0])
    if started_as.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m numbatch.cli"
    found = shutil.which("numbatch")
    if found and started_as.exists() and started_as.samefile(found):
        return "numbatch"
    return _path(started_as)


def _path(path: Path) -> str:
    """Return a path as one would type it here."""
    path = path.absolute()
    return shlex.quote(str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path))
