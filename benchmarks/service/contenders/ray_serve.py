"""Ray Serve: a deployment on ONNX Runtime behind its gRPC proxy, with the settings it has for throughput.

It has no stream with a window that works like ours, so that calls stand for streams.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from google.protobuf.wrappers_pb2 import BytesValue

from benchmarks.contenders.onnx_graph import onnx_bytes
from benchmarks.grid import Array, Network
from benchmarks.service.contenders import ENVIRONMENTS, Command, Contender, Question, installed_version
from benchmarks.service.processes import free_port

_SERVERS = Path(__file__).parents[1] / "servers"


def _serve(folder: Path, networks: Sequence[Network], port: int, workers: int) -> Command:
    files = {network.name: folder / f"{network.name}.onnx" for network in networks}
    for network in networks:
        files[network.name].write_bytes(onnx_bytes(network))
    command = [str(ENVIRONMENTS / "ray_serve/bin/python"), str(_SERVERS / "ray_app.py")]
    arguments = [str(port), str(free_port()), str(workers), *(f"{name}={file}" for name, file in files.items())]
    environment = {
        "PYTHONPATH": str(_SERVERS),
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_TMPDIR": str(folder),
    }
    return Command([command + arguments], environment)


def _ask(network: Network, _: bool) -> dict[str, Question]:
    return {"": Question("/bench.Inference/Infer", lambda x: _request(network, x))}


def _request(network: Network, x: Array) -> bytes:
    return BytesValue(value=f"{network.name}\n{len(x)}\n".encode() + x.tobytes()).SerializeToString()


def _outputs(answer: bytes, _: bool) -> Array:
    return np.frombuffer(BytesValue.FromString(answer).value, "<f4")


CONTENDER = Contender("ray_serve", installed_version("ray_serve", "ray"), _serve, _ask, _outputs)
