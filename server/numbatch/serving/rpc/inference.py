"""numbatch.v1.InferenceService: the hot path. Tensors are read where they lie in the request."""

import asyncio

import grpc

from numbatch.batching import Priority
from numbatch.serving.core import Core, InferenceCall
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.observer import INFERENCE_SERVICE, Observer
from numbatch.serving.rpc.calls import Calls, deadline_of
from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.limits import check_response_size
from numbatch.serving.rpc.status import status_of
from numbatch.serving.rpc.stream import serve_in_order
from numbatch.serving.rpc.window import StreamLimits
from numbatch.serving.security.access import Scope
from numbatch.serving.work import Work, check_request_id
from numbatch.v1.inference_pb2 import (
    PRIORITY_HIGH,
    PRIORITY_NORMAL,
    PRIORITY_UNSPECIFIED,
    InferRequest,
    InferResponse,
    StreamInferResponse,
)
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE, STREAM_INFER_REQUEST, STREAM_INFER_RESPONSE
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import read_tensor

SERVICE = INFERENCE_SERVICE

_PRIORITIES = {
    PRIORITY_UNSPECIFIED: Priority.NORMAL,
    PRIORITY_NORMAL: Priority.NORMAL,
    PRIORITY_HIGH: Priority.HIGH,
}


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
    stream_limits : StreamLimits
        What one stream may take up.
    observer : Observer
        Is told of every request.
    """

    def __init__(
        self,
        core: Core,
        lifecycle: Lifecycle,
        *,
        max_message_bytes: int,
        stream_limits: StreamLimits,
        observer: Observer | None = None,
    ) -> None:
        self._core = core
        self._lifecycle = lifecycle
        self._max_message_bytes = max_message_bytes
        self._stream_limits = stream_limits
        self._observer = observer or Observer()

    def handlers(self, calls: Calls) -> grpc.GenericRpcHandler:
        """Return what gRPC is given."""
        methods = {
            "Infer": calls.unary(self.infer, Scope.INFERENCE),
            "StreamInfer": calls.stream_stream(self.stream_infer, Scope.INFERENCE),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def infer(self, data: bytes, deadline: float | None) -> bytes:
        """Answer one request."""
        work = self._work("Infer", data)
        try:
            request, blobs = INFER_REQUEST.decode(data)
            self._start(work, request, blobs, deadline)
            answer = INFER_RESPONSE.encode(_response(work), await work.outputs())
            check_response_size(len(answer), self._max_message_bytes, "send fewer rows at once")
        except asyncio.CancelledError:
            work.cancel()
            raise
        except Exception as unexpected:
            problem = work.about(unexpected)
            work.report(problem=problem)
            if problem is unexpected:
                raise
            raise problem from unexpected
        work.report(response_bytes=len(answer))
        return answer

    async def stream_infer(self, _: object, context: CallContext) -> None:
        """Answer the requests of one stream."""
        deadline = deadline_of(context)
        await serve_in_order(
            context,
            self._lifecycle,
            start=lambda data: self._start_streamed(data, deadline),
            finish=self._finish_streamed,
            limits=self._stream_limits,
        )

    def _start_streamed(self, data: bytes, deadline: float | None) -> Work:
        work = self._work("StreamInfer", data)
        try:
            message, blobs = STREAM_INFER_REQUEST.decode(data)
            self._start(work, message.request, blobs, deadline)
        except Exception as problem:
            work.put_off(problem)
        return work

    async def _finish_streamed(self, work: Work) -> bytes:
        try:
            outputs = await work.outputs()
            message = StreamInferResponse(request_id=work.request_id, response=_response(work))
            answer = STREAM_INFER_RESPONSE.encode(message, outputs)
            check_response_size(len(answer), self._max_message_bytes, "send fewer rows at once")
        except asyncio.CancelledError:
            work.cancel()
            raise
        except Exception as unexpected:
            problem = work.about(unexpected)
            work.report(problem=problem)
            return StreamInferResponse(request_id=work.request_id, error=status_of(problem)).SerializeToString()
        work.report(response_bytes=len(answer))
        return answer

    def _work(self, method: str, data: bytes) -> Work:
        return Work(self._core, self._observer, method, len(data))

    def _start(self, work: Work, request: InferRequest, blobs: list[memoryview], deadline: float | None) -> None:
        work.model, work.version, work.request_id = request.model_name, request.model_version, request.request_id
        check_request_id(work.request_id)
        priority = _PRIORITIES.get(request.priority)
        if priority is None:
            expected = "PRIORITY_NORMAL (1) or PRIORITY_HIGH (2)"
            raise error(Reason.INVALID_FIELD, field="priority", got=request.priority, expected=expected)
        inputs = [
            (tensor.name, read_tensor(tensor, blob, f"inputs[{position}]"))
            for position, (tensor, blob) in enumerate(zip(request.inputs, blobs, strict=True))
        ]
        work.start(InferenceCall(work.model, work.version, inputs, request.layers, deadline, priority))


def _response(work: Work) -> InferResponse:
    assert work.pending is not None  # it was answered
    return InferResponse(model_name=work.model, model_version=work.pending.version, request_id=work.request_id)
