"""numbatch.v1.InferenceService: the hot path. Tensors are read where they lie in the request."""

import asyncio
from dataclasses import dataclass

import grpc

from numbatch.serving.core import Core, InferenceCall, InferenceResult
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.rpc.calls import Calls, deadline_of
from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.limits import check_response_size
from numbatch.serving.rpc.status import as_numbatch_error, status_of
from numbatch.serving.rpc.stream import serve_in_order
from numbatch.v1 import inference_pb2
from numbatch.v1.inference_pb2 import InferRequest, InferResponse, StreamInferResponse
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE, STREAM_INFER_REQUEST, STREAM_INFER_RESPONSE
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import read_tensor

SERVICE = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name

_MAX_REQUEST_ID = 128


@dataclass(frozen=True, slots=True)
class _Pending:
    """A request that was read and is not answered yet: what it asked, and the result to come or why there is none."""

    request: InferRequest
    outcome: asyncio.Future[InferenceResult] | NumbatchError

    def cancel(self) -> None:
        if isinstance(self.outcome, asyncio.Future):
            self.outcome.cancel()

    async def result(self) -> InferenceResult:
        if isinstance(self.outcome, NumbatchError):
            raise self.outcome
        return await self.outcome


class InferenceService:
    """Answers Infer and StreamInfer.

    Parameters
    ----------
    core : Core
        Does the work.
    lifecycle : Lifecycle
        Says when streams are to end.
    max_message_bytes : int
        The largest answer.
    stream_window : int
        How many requests of a stream are read before the first of them is answered.
    """

    def __init__(self, core: Core, lifecycle: Lifecycle, *, max_message_bytes: int, stream_window: int) -> None:
        self._core = core
        self._lifecycle = lifecycle
        self._max_message_bytes = max_message_bytes
        self._stream_window = stream_window

    def handlers(self, calls: Calls) -> grpc.GenericRpcHandler:
        """Return what gRPC is given."""
        methods = {"Infer": calls.unary(self.infer), "StreamInfer": calls.stream_stream(self.stream_infer)}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def infer(self, data: bytes, deadline: float | None) -> bytes:
        """Answer one request."""
        request, blobs = INFER_REQUEST.decode(data)
        pending = self._start(request, blobs, deadline)
        try:
            result = await pending.result()
            answer = INFER_RESPONSE.encode(_response(request, result), result.outputs)
            check_response_size(len(answer), self._max_message_bytes, "send fewer rows at once")
        except NumbatchError as problem:
            problem.about(model=request.model_name, request_id=request.request_id)
            raise
        return answer

    async def stream_infer(self, _: object, context: CallContext) -> None:
        """Answer the requests of one stream."""
        deadline = deadline_of(context)
        await serve_in_order(
            context,
            self._lifecycle,
            start=lambda data: self._start_streamed(data, deadline),
            finish=self._finish_streamed,
            window=self._stream_window,
        )

    def _start(self, request: InferRequest, blobs: list[memoryview], deadline: float | None) -> _Pending:
        try:
            if len(request.request_id) > _MAX_REQUEST_ID:
                got, expected = f"{len(request.request_id)} characters", f"at most {_MAX_REQUEST_ID}"
                raise error(Reason.INVALID_FIELD, field="request_id", got=got, expected=expected)
            inputs = [
                (tensor.name, read_tensor(tensor, blob, f"inputs[{position}]"))
                for position, (tensor, blob) in enumerate(zip(request.inputs, blobs, strict=True))
            ]
            call = InferenceCall(request.model_name, request.model_version, inputs, request.layers, deadline)
            return _Pending(request, asyncio.wrap_future(self._core.infer(call)))
        except Exception as problem:
            return _Pending(request, as_numbatch_error(problem))

    def _start_streamed(self, data: bytes, deadline: float | None) -> _Pending:
        try:
            message, blobs = STREAM_INFER_REQUEST.decode(data)
        except NumbatchError as malformed:
            return _Pending(InferRequest(), malformed)
        return self._start(message.request, blobs, deadline)

    async def _finish_streamed(self, pending: _Pending) -> bytes:
        request = pending.request
        try:
            result = await pending.result()
            message = StreamInferResponse(request_id=request.request_id, response=_response(request, result))
            answer = STREAM_INFER_RESPONSE.encode(message, result.outputs)
            check_response_size(len(answer), self._max_message_bytes, "send fewer rows at once")
        except Exception as unexpected:
            problem = as_numbatch_error(unexpected).about(model=request.model_name, request_id=request.request_id)
            return StreamInferResponse(request_id=request.request_id, error=status_of(problem)).SerializeToString()
        return answer


def _response(request: InferRequest, result: InferenceResult) -> InferResponse:
    return InferResponse(model_name=request.model_name, model_version=result.version, request_id=request.request_id)
