"""numbatch, as `numbatch serve` starts it, with its own messages."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.grid import Network
from benchmarks.service.contenders import Command, Contender


def _serve(folder: Path, networks: Sequence[Network], port: int, workers: int) -> Command:
    for network in networks:
        version_folder = folder / "models" / network.name / "1"
        version_folder.mkdir(parents=True, exist_ok=True)
        message = network.message()
        message.name = network.name
        (version_folder / "model.binpb").write_bytes(message.SerializeToString())
    options = ["--model-repository", str(folder / "models"), "--workers", str(workers)]
    options += ["--listen", f"127.0.0.1:{port}", "--http-listen", "127.0.0.1:0"]
    return Command([[sys.executable, "-m", "numbatch.cli", "serve", *options]])


def tensors(network: Network) -> tuple[str, str]:
    """Return the names of the input and of the output."""
    message = network.message()
    return message.inputs[0].name, message.layers[-1].name


CONTENDER = Contender("numbatch", version("numbatch"), _serve, "native", tensors)
