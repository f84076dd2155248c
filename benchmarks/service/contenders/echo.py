"""The limit: grpcio alone on the same stack. It receives numbatch's requests and answers with as many bytes."""

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.grid import Network
from benchmarks.service.cases import cases
from benchmarks.service.contenders import Command, Contender, numbatch
from numbatch.loadtest.protocols import PROTOCOLS
from numbatch.v1.inference_pb2 import InferResponse, StreamInferResponse
from numbatch.v1.repository_pb2 import GetModelResponse, ModelMetadata, TensorSpec
from numbatch.wire.codec import INFER_RESPONSE, STREAM_INFER_RESPONSE

_SERVER = Path(__file__).parents[1] / "servers" / "echo_server.py"


def _serve(folder: Path, networks: Sequence[Network], port: int, workers: int) -> Command:
    answers = folder / "answers.json"
    answers.write_text(json.dumps(_answers(networks) | {"GetModel": {n.name: _metadata(n).hex() for n in networks}}))
    return Command([[sys.executable, str(_SERVER), str(port), str(int(workers > 1)), str(answers)]] * workers)


def _answers(networks: Sequence[Network]) -> dict[str, dict[int, str]]:
    """Return, by method, the bytes of an answer of zeros by the length of the request."""
    found: dict[str, dict[int, str]] = {"Infer": {}, "StreamInfer": {}}
    for case in cases():
        if case.network in networks:
            x = {numbatch.tensors(case.network)[0]: case.network.batch(case.rows)}
            request = PROTOCOLS["native"].request(case.network.name, 0, x, streamed=case.streamed)
            method = "StreamInfer" if case.streamed else "Infer"
            found[method][len(request)] = _zeros(case.network, case.rows, case.streamed).hex()
    return found


def _zeros(network: Network, rows: int, streamed: bool) -> bytes:
    outputs = [(numbatch.tensors(network)[1], np.zeros((rows, network.widths[-1]), np.float32))]
    response = InferResponse(model_name=network.name, model_version=1)
    if streamed:
        return STREAM_INFER_RESPONSE.encode(StreamInferResponse(response=response), outputs)
    return INFER_RESPONSE.encode(response, outputs)


def _metadata(network: Network) -> bytes:
    names = numbatch.tensors(network)
    input_, output = (
        TensorSpec(name=name, shape=[width])
        for name, width in zip(names, (network.widths[0], network.widths[-1]), strict=True)
    )
    return GetModelResponse(metadata=ModelMetadata(inputs=[input_], outputs=[output])).SerializeToString()


CONTENDER = Contender("echo", version("grpcio"), _serve, "native", numbatch.tensors, computes=False)
