"""numbatch, as `numbatch serve` starts it, with its own messages."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.grid import Array, Network
from benchmarks.service.contenders import Command, Contender, Question
from numbatch.v1.inference_pb2 import InferRequest, InferResponse, StreamInferRequest, StreamInferResponse
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE, STREAM_INFER_REQUEST, STREAM_INFER_RESPONSE

_SERVICE = "/numbatch.v1.InferenceService"


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


def ask(network: Network, streamed: bool) -> dict[str, Question]:
    """Return the one form of a request."""
    if streamed:
        return {"": Question(f"{_SERVICE}/StreamInfer", lambda x: _stream_request(network, x), streamed=True)}
    return {"": Question(f"{_SERVICE}/Infer", lambda x: INFER_REQUEST.encode(_header(network), [("", x)]))}


def answer(network: Network, rows: int, streamed: bool) -> bytes:
    """Return an answer of the length that the server's answers have."""
    outputs = [(network.message().layers[-1].name, np.zeros((rows, network.widths[-1]), np.float32))]
    response = InferResponse(model_name=network.name, model_version=1)
    if streamed:
        return STREAM_INFER_RESPONSE.encode(StreamInferResponse(response=response), outputs)
    return INFER_RESPONSE.encode(response, outputs)


def _stream_request(network: Network, x: Array) -> bytes:
    return STREAM_INFER_REQUEST.encode(StreamInferRequest(request=_header(network)), [("", x)])


def _header(network: Network) -> InferRequest:
    return InferRequest(model_name=network.name)


def _outputs(answer: bytes, streamed: bool) -> Array:
    _, (data,) = (STREAM_INFER_RESPONSE if streamed else INFER_RESPONSE).decode(answer)
    return np.frombuffer(data, "<f4")


CONTENDER = Contender("numbatch", version("numbatch"), _serve, ask, _outputs, exact=True)
