"""A server whose methods are whatever a test says, for what a right server never does: silence, half an answer.

Left alone it serves one model, "double": one input "x" of two features, and the layers "once" (x) and "twice" (2 x), of
which the second is the output. It is not numbatch's server and shares nothing with it but the contract.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self

import grpc
import numpy as np
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from numbatch.v1.inference_pb2 import InferRequest, InferResponse, StreamInferResponse
from numbatch.v1.repository_pb2 import GetModelRequest, GetModelResponse, LayerSummary, ModelMetadata, TensorSpec
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE, STREAM_INFER_REQUEST, STREAM_INFER_RESPONSE
from numbatch.wire.errors import NumbatchError
from numbatch.wire.status import STATUS_DETAILS_KEY, to_status
from numbatch.wire.tensors import Array, read_tensor

INFER = "/numbatch.v1.InferenceService/Infer"
STREAM_INFER = "/numbatch.v1.InferenceService/StreamInfer"
LIST_MODELS = "/numbatch.v1.ModelRepositoryService/ListModels"
GET_MODEL = "/numbatch.v1.ModelRepositoryService/GetModel"
LOAD_MODEL = "/numbatch.v1.ModelRepositoryService/LoadModel"
UNLOAD_MODEL = "/numbatch.v1.ModelRepositoryService/UnloadModel"
CHECK_HEALTH = "/grpc.health.v1.Health/Check"

Unary = Callable[[bytes, Any], bytes]
Stream = Callable[[Iterator[bytes], Any], Iterator[bytes]]


def infer(request: bytes, _: Any = None) -> bytes:
    """Answer an InferRequest with the layers that it asks for."""
    message, data = INFER_REQUEST.decode(request)
    return INFER_RESPONSE.encode(_response(message), _outputs(message, data))


def answer_streamed(request: bytes) -> bytes:
    """Answer one StreamInferRequest."""
    message, data = STREAM_INFER_REQUEST.decode(request)
    answer = StreamInferResponse(request_id=message.request.request_id, response=_response(message.request))
    return STREAM_INFER_RESPONSE.encode(answer, _outputs(message.request, data))


def refuse_streamed(request: bytes, failure: NumbatchError) -> bytes:
    """Answer one StreamInferRequest with an error."""
    message, _ = STREAM_INFER_REQUEST.decode(request)
    return StreamInferResponse(request_id=message.request.request_id, error=to_status(failure)).SerializeToString()


def stream_infer(requests: Iterator[bytes], _: Any = None) -> Iterator[bytes]:
    """Answer every StreamInferRequest."""
    return map(answer_streamed, requests)


def metadata(features: int = 2) -> ModelMetadata:
    """Describe the model."""
    return ModelMetadata(
        inputs=[TensorSpec(name="x", shape=[features])],
        outputs=[TensorSpec(name="twice", shape=[features])],
        layers=[LayerSummary(name="once"), LayerSummary(name="twice")],
    )


def get_model(request: bytes, _: Any = None) -> bytes:
    """Answer a GetModelRequest."""
    GetModelRequest.FromString(request)
    return GetModelResponse(metadata=metadata()).SerializeToString()


def check_health(request: bytes, context: Any) -> bytes:
    """Answer a HealthCheckRequest: the server and its model are well."""
    if HealthCheckRequest.FromString(request).service not in ("", "double"):
        context.abort(grpc.StatusCode.NOT_FOUND, "")
    answer: bytes = HealthCheckResponse(status=HealthCheckResponse.SERVING).SerializeToString()
    return answer


def wait_for_the_end(context: Any) -> None:
    """Return when the client has given the call up."""
    over = threading.Event()
    if context.add_callback(over.set):
        assert over.wait(30)


def silence(_: bytes, context: Any) -> bytes:
    """Answer nothing until the client has given up."""
    wait_for_the_end(context)
    return b""


def fail(code: grpc.StatusCode, details: str = "") -> Unary:
    """Make a method that fails without details of numbatch's."""

    def method(_: bytes, context: Any) -> bytes:
        context.abort(code, details)
        raise AssertionError  # abort does not return

    return method


def refuse(failure: NumbatchError, pushback_ms: int | None = None) -> Unary:
    """Make a method that fails as a numbatch server does, and says when gRPC is to try again; -1: not at all."""

    def method(_: bytes, context: Any) -> bytes:
        status = to_status(failure)
        pushback = [] if pushback_ms is None else [("grpc-retry-pushback-ms", str(pushback_ms))]
        context.set_trailing_metadata([(STATUS_DETAILS_KEY, status.SerializeToString()), *pushback])
        code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        context.abort(code, failure.message)
        raise AssertionError  # abort does not return

    return method


class FakeServer:
    """The server, in threads of this process, on a free port while the context is entered.

    Parameters
    ----------
    methods : mapping of str to callable
        Replaces methods, by their path: bytes -> bytes, or for streams iterator of bytes -> iterator of bytes.
    max_message_bytes : int
        The limit of messages that it takes.
    address : str
        Where it listens: that of a server which is gone, for one that was restarted.
    credentials : grpc.ServerCredentials, optional
        For TLS.
    **options
        Of gRPC, as "max_connection_age_ms".
    """

    def __init__(
        self,
        methods: Mapping[str, Any] | None = None,
        *,
        max_message_bytes: int = 64 * 2**20,
        address: str = "127.0.0.1:0",
        credentials: Any = None,
        **options: int,
    ) -> None:
        defaults = {INFER: infer, STREAM_INFER: stream_infer, GET_MODEL: get_model, CHECK_HEALTH: check_health}
        self._methods: dict[str, Any] = defaults | dict(methods or {})
        self._lock = threading.Lock()
        self.calls: list[str] = []  # the paths, as they came
        self.requests: list[bytes] = []  # of unary calls
        self.metadata: list[dict[str, Any]] = []  # of all calls
        self.began = {path: threading.Event() for path in self._methods}
        self.ended = {path: threading.Event() for path in self._methods}
        self._server = grpc.server(
            ThreadPoolExecutor(16),
            handlers=[self],
            options=[
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", max_message_bytes),
                *((f"grpc.{name}", value) for name, value in options.items()),
            ],
        )
        if credentials is None:
            port = self._server.add_insecure_port(address)
        else:
            port = self._server.add_secure_port(address, credentials)
        self.address = f"127.0.0.1:{port}"

    def service(self, details: Any) -> Any:
        """Find the handler of a call, as gRPC asks."""
        path = details.method
        if path not in self._methods:
            return None
        method = self._methods[path]
        with self._lock:
            self.calls.append(path)
            self.metadata.append(dict(details.invocation_metadata))
        self.began[path].set()
        if path.endswith("StreamInfer"):

            def stream(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
                context.add_callback(self.ended[path].set)
                return iter(method(requests, context))

            return grpc.stream_stream_rpc_method_handler(stream)

        def unary(request: bytes, context: Any) -> bytes:
            context.add_callback(self.ended[path].set)
            with self._lock:
                self.requests.append(request)
            answer: bytes = method(request, context)
            return answer

        return grpc.unary_unary_rpc_method_handler(unary)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End at once, as a process that is killed: calls break where they are. Stopping again does nothing."""
        self._server.stop(None).wait()


def _response(request: InferRequest) -> InferResponse:
    return InferResponse(model_name=request.model_name, model_version=1, request_id=request.request_id)


def _outputs(request: InferRequest, data: list[memoryview]) -> list[tuple[str, Array]]:
    x = read_tensor(request.inputs[0], data[0], "inputs[0]").astype(np.float32)
    by_layer = {"once": x, "twice": np.float32(2) * x}
    return [(name, by_layer[name]) for name in request.layers or ["twice"]]
