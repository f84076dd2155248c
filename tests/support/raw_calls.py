"""Calls as any gRPC client makes them: paths and bytes, no client of numbatch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from google.protobuf.message import Message
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from numbatch.v1.errors_pb2 import Status
from numbatch.v1.inference_pb2 import InferRequest, InferResponse, StreamInferRequest, StreamInferResponse
from numbatch.v1.repository_pb2 import (
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    LoadModelRequest,
    LoadModelResponse,
    UnloadModelRequest,
    UnloadModelResponse,
)
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE, STREAM_INFER_REQUEST, STREAM_INFER_RESPONSE, NamedArray
from numbatch.wire.errors import NumbatchError
from numbatch.wire.status import STATUS_DETAILS_KEY, from_status
from numbatch.wire.tensors import Array, read_tensor

MessageT = TypeVar("MessageT", bound=Message)

INFER = "/numbatch.v1.InferenceService/Infer"
STREAM_INFER = "/numbatch.v1.InferenceService/StreamInfer"
REPOSITORY = "/numbatch.v1.ModelRepositoryService/"
HEALTH = "/grpc.health.v1.Health/"

_TIMEOUT_S = 20


class RawCalls:
    """Calls over one channel, each with a bearer token if there is one."""

    def __init__(self, channel: grpc.Channel, token: str = "") -> None:
        self.channel = channel
        self._metadata = [("authorization", f"Bearer {token}")] if token else None

    def with_token(self, token: str) -> "RawCalls":
        """Return calls over the same channel with another token."""
        return RawCalls(self.channel, token)

    def unary(self, path: str, request: bytes, timeout: float | None = _TIMEOUT_S) -> bytes:
        """Send bytes, return bytes."""
        answer: bytes = self.channel.unary_unary(path)(request, timeout=timeout, metadata=self._metadata)
        return answer

    def stream(self, requests: Iterable[bytes], timeout: float | None = _TIMEOUT_S) -> Any:
        """Open a StreamInfer; iterate over what is returned, or cancel it."""
        return self.channel.stream_stream(STREAM_INFER)(iter(requests), timeout=timeout, metadata=self._metadata)

    def infer(self, *args: Any, timeout: float | None = _TIMEOUT_S, **kwargs: Any) -> list[NamedArray]:
        """Infer; the arguments are those of `infer_request`."""
        return read_answer(self.unary(INFER, infer_request(*args, **kwargs), timeout))[1]

    def list_models(self, page_size: int = 0, page_token: str = "") -> ListModelsResponse:
        request = ListModelsRequest(page_size=page_size, page_token=page_token)
        return self._call(REPOSITORY + "ListModels", request, ListModelsResponse())

    def get_model(self, name: str, version: int = 0, *, include_weights: bool = False) -> GetModelResponse:
        request = GetModelRequest(model_name=name, model_version=version, include_weights=include_weights)
        return self._call(REPOSITORY + "GetModel", request, GetModelResponse())

    def load_model(self, **fields: Any) -> LoadModelResponse:
        return self._call(REPOSITORY + "LoadModel", LoadModelRequest(**fields), LoadModelResponse())

    def unload_model(self, name: str, version: int = 0) -> UnloadModelResponse:
        request = UnloadModelRequest(model_name=name, model_version=version)
        return self._call(REPOSITORY + "UnloadModel", request, UnloadModelResponse())

    def health(self, service: str = "") -> str:
        """Return the name of the status: "SERVING"."""
        response = self._call(HEALTH + "Check", HealthCheckRequest(service=service), HealthCheckResponse())
        return str(HealthCheckResponse.ServingStatus.Name(response.status))

    def watch(self, service: str) -> Iterator[str]:
        """Open a Watch; every status is a name."""
        request = HealthCheckRequest(service=service).SerializeToString()
        for data in self.channel.unary_stream(HEALTH + "Watch")(request, timeout=_TIMEOUT_S):
            yield HealthCheckResponse.ServingStatus.Name(HealthCheckResponse.FromString(data).status)

    def _call(self, path: str, request: Message, response: MessageT) -> MessageT:
        response.ParseFromString(self.unary(path, request.SerializeToString()))
        return response


@contextmanager
def raw_calls(address: str, max_message_bytes: int = 64 * 2**20) -> Iterator[RawCalls]:
    """Open a channel of its own to a server."""
    options = [
        ("grpc.max_receive_message_length", max_message_bytes),
        ("grpc.max_send_message_length", max_message_bytes),
        ("grpc.use_local_subchannel_pool", 1),
    ]
    with grpc.insecure_channel(address, options) as channel:
        yield RawCalls(channel)


def infer_request(
    model: str,
    x: npt.ArrayLike | None = None,
    *,
    inputs: Sequence[tuple[str, npt.ArrayLike]] = (),
    version: int = 0,
    request_id: str = "",
    layers: Sequence[str] = (),
) -> bytes:
    """Return the bytes of an InferRequest for one unnamed float32 input `x`, or for arrays as they are."""
    request = InferRequest(model_name=model, model_version=version, request_id=request_id, layers=layers)
    return INFER_REQUEST.encode(request, _arrays(x, inputs))


def stream_request(model: str, x: npt.ArrayLike, *, request_id: str = "") -> bytes:
    """Return the bytes of a StreamInferRequest."""
    request = InferRequest(model_name=model, request_id=request_id)
    return STREAM_INFER_REQUEST.encode(StreamInferRequest(request=request), _arrays(x, ()))


def read_answer(data: bytes) -> tuple[InferResponse, list[NamedArray]]:
    """Return an InferResponse and its arrays by layer name."""
    response, blobs = INFER_RESPONSE.decode(data)
    return response, [(t.name, read_tensor(t, blob, "")) for t, blob in zip(response.outputs, blobs, strict=True)]


def read_streamed(data: bytes) -> tuple[str, Array | NumbatchError]:
    """Return the request id of a StreamInferResponse and its only output, or why there is none."""
    message, blobs = STREAM_INFER_RESPONSE.decode(data)
    assert isinstance(message, StreamInferResponse)
    if message.WhichOneof("outcome") == "error":
        return message.request_id, from_status(message.error)
    (tensor,), (blob,) = message.response.outputs, blobs
    return message.request_id, read_tensor(tensor, blob, "")


def refusal(call: Callable[[], object]) -> NumbatchError:
    """Return the error with which a call is refused; code, message and details agree, and fit into metadata."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return error_of(raised.value)


def error_of(failure: Any) -> NumbatchError:
    """Return the error that a failed call carries."""
    details = dict(failure.trailing_metadata() or ()).get(STATUS_DETAILS_KEY)
    assert details is not None, f"no details: {failure.code()}: {failure.details()}"
    status = Status.FromString(details)
    assert (failure.code().value[0], failure.details()) == (status.code, status.message)
    return from_status(status)


def _arrays(x: npt.ArrayLike | None, inputs: Sequence[tuple[str, npt.ArrayLike]]) -> list[NamedArray]:
    if x is not None:
        return [("", np.asarray(x, np.float32))]
    return [(name, np.asarray(array)) for name, array in inputs]
