"""MLServer: a custom runtime on ONNX Runtime, asked over the Open Inference Protocol with raw contents.

Each network is there twice, with and without adaptive batching, as it helps from some messages at once on and costs
time below. Logging of requests, metrics and compression are off. Two workers are MLServer's own inference processes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.contenders.onnx_graph import INPUT, OUTPUT, onnx_bytes
from benchmarks.grid import Network
from benchmarks.service.contenders import ENVIRONMENTS, TOLERANCE, Command, Contender, installed_version
from benchmarks.service.processes import free_port

_SERVERS = Path(__file__).parents[1] / "servers"
_BATCHES = {"": (0, 0.0), "-batched": (16, 0.001)}


def _serve(folder: Path, networks: Sequence[Network], port: int, workers: int) -> Command:
    settings = {
        "host": "127.0.0.1",
        "http_port": free_port(),
        "grpc_port": port,
        "metrics_endpoint": None,
        "debug": False,
        "gzip_enabled": False,
        # 0: in the server's own process.
        "parallel_workers": workers if workers > 1 else 0,
        "grpc_max_message_length": 64 << 20,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    for network in networks:
        file = folder / f"{network.name}.onnx"
        file.write_bytes(onnx_bytes(network))
        for suffix, (max_batch_size, max_batch_time) in _BATCHES.items():
            model = {
                "name": network.name + suffix,
                "implementation": "mlserver_model.OnnxModel",
                "max_batch_size": max_batch_size,
                "max_batch_time": max_batch_time,
                "parameters": {"uri": str(file)},
                "inputs": [_tensor(INPUT, network.widths[0])],
                "outputs": [_tensor(OUTPUT, network.widths[-1])],
            }
            model_folder = folder / f"{network.name}{suffix}"
            model_folder.mkdir(exist_ok=True)
            (model_folder / "model-settings.json").write_text(json.dumps(model))
    command = [str(ENVIRONMENTS / "mlserver/bin/mlserver"), "start", str(folder)]
    return Command([command], {"PYTHONPATH": str(_SERVERS)})


def _tensor(name: str, width: int) -> dict[str, Any]:
    return {"name": name, "datatype": "FP32", "shape": [-1, width]}


def _forms(network: Network, streamed: bool) -> dict[str, str]:
    return {"alone": network.name} if streamed else {"alone": network.name, "batched": f"{network.name}-batched"}


CONTENDER = Contender(
    "mlserver",
    installed_version("mlserver", "mlserver"),
    _serve,
    "oip",
    lambda _: (INPUT, OUTPUT),
    _forms,
    tolerance=TOLERANCE,
)
