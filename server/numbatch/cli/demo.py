"""`numbatch demo`."""

import signal
import sys
import time
from collections.abc import Iterator
from typing import Any, NoReturn

import click
import numpy as np
import numpy.typing as npt

from numbatch.cli.demo_models import MODEL, HeldOut, demo_repository, held_out
from numbatch.cli.demo_report import Findings, as_json, as_text
from numbatch.cli.exits import ExitCode
from numbatch.cli.options import json_option
from numbatch.cli.server_process import ServerProcess
from numbatch.client import Client

# Below it, something is wrong with the installation.
LEAST_ACCURACY = 0.96

MINIBATCH_ROWS = 36
TIMED_S = 1.0

# An image that shows its digit well.
_SHOWN = 3


@click.command()
@click.option("--keep", is_flag=True, help="Leave the server running, and say how to stop it.")
@json_option
def demo(keep: bool, json_wanted: bool) -> ExitCode:
    """See it work: a server, a trained model, 360 images.

    Starts a real server process on a free port, with a network that was trained on scanned digits; streams the 360
    images that it was not trained with through the Python client; and shows the accuracy, what every layer makes of
    one image, and how many rows come through in a second. It ends with the next commands to try. The server is
    stopped again.

    \b
    Examples:
      numbatch demo
      numbatch demo --keep
      numbatch demo --json
    """  # noqa: D301
    signal.signal(signal.SIGTERM, _exit)
    data = held_out()
    with ServerProcess(demo_repository()) as server:
        with Client(server.address, tls=False, token="") as client:  # its own server, whatever the environment says
            found = _explore(client, data)
        report = as_json if json_wanted else as_text
        click.echo(report(found, server, kept=keep))
        if keep:
            server.keep()
    return ExitCode.OK if found.accuracy >= LEAST_ACCURACY else ExitCode.NEGATIVE


def _explore(client: Client, data: HeldOut) -> Findings:
    metadata = client.get_metadata(MODEL)
    probabilities = np.concatenate(list(client.stream(MODEL, _minibatches(data.pixels))))
    predictions = probabilities.argmax(axis=-1)
    layers = client.infer(MODEL, data.pixels[_SHOWN], layers=[layer.name for layer in metadata.layers])
    timed_rows, timed_s = _time(client, data.pixels.astype(np.float32))
    return Findings(
        data=data,
        metadata=metadata,
        predictions=predictions,
        accuracy=float(np.mean(predictions == data.labels)),
        shown=_SHOWN,
        layers=layers,
        minibatch_rows=MINIBATCH_ROWS,
        timed_rows=timed_rows,
        timed_s=timed_s,
    )


def _minibatches(pixels: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    for start in range(0, len(pixels), MINIBATCH_ROWS):
        yield pixels[start : start + MINIBATCH_ROWS]


def _time(client: Client, pixels: npt.NDArray[Any]) -> tuple[int, float]:
    """Stream the images again and again for a while; return the rows, and the seconds until the last was answered."""
    started = time.perf_counter()

    def again_and_again() -> Iterator[npt.NDArray[Any]]:
        while time.perf_counter() - started < TIMED_S:
            yield from _minibatches(pixels)

    rows = sum(len(answer) for answer in client.stream(MODEL, again_and_again()))
    return rows, time.perf_counter() - started


def _exit(number: int, _: object) -> NoReturn:
    """End with an exception, so that `kill` stops the server as well."""
    sys.exit(128 + number)
