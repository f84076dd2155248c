"""Ray Serve: a deployment on ONNX Runtime behind its gRPC proxy, with the settings it has for throughput.

It has no stream with a window that works like ours, so that calls stand for streams.
"""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders.onnx_graph import onnx_bytes
from benchmarks.grid import Network
from benchmarks.service.contenders import ENVIRONMENTS, TOLERANCE, Command, Contender, installed_version
from benchmarks.service.processes import free_port
from benchmarks.service.ray_protocol import INPUT, OUTPUT

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


CONTENDER = Contender(
    "ray_serve",
    installed_version("ray_serve", "ray"),
    _serve,
    "benchmarks.service.ray_protocol:PROTOCOL",
    lambda _: (INPUT, OUTPUT),
    streams=False,
    tolerance=TOLERANCE,
)
