"""numbatch.v1.InferenceService: the hot path. Tensors are read where they lie in the request."""

import asyncio
import time
from collections.abc import Callable

import grpc

from numbatch.batching import Priority
from numbatch.serving.core import Core, InferenceCall
from numbatch.serving.failures import as_numbatch_error
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.observer import Observer, RequestReport
from numbatch.serving.pending import Done, Pending
from numbatch.serving.rpc.calls import Calls, deadline_of
from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.limits import check_response_size
from numbatch.serving.rpc.status import status_of
from numbatch.serving.rpc.stream import serve_in_order
from numbatch.serving.rpc.window import StreamLimits
from numbatch.serving.security.access import Scope
from numbatch.serving.trace_parent import trace_parent
from numbatch.v1 import inference_pb2
from numbatch.v1.inference_pb2 import (
    PRIORITY_HIGH,
    PRIORITY_NORMAL,
    PRIORITY_UNSPECIFIED,
    InferRequest,
    InferResponse,
    StreamInferResponse,
)
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE, STREAM_INFER_REQUEST, STREAM_INFER_RESPONSE
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import read_tensor

SERVICE = inference_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name

_MAX_REQUEST_ID = 128

_PRIORITIES = {
    PRIORITY_UNSPECIFIED: Priority.NORMAL,
    PRIORITY_NORMAL: Priority.NORMAL,
    PRIORITY_HIGH: Priority.HIGH,
}


class _Work:
    """A request whose bytes are here: what it asks, and what is to become of it: an answer, or a problem."""

    __slots__ = ("_give_up", "method", "pending", "problem", "request", "size_bytes", "started")

    def __init__(self, method: str, size_bytes: int, give_up: Callable[["_Work"], None]) -> None:
        self.started = time.monotonic()
        self.method = method
        self.size_bytes = size_bytes
        self._give_up = give_up
        self.request = InferRequest()
        self.pending: Pending | Done | None = None
        self.problem: NumbatchError | None = None

    def about(self, problem: BaseException) -> NumbatchError:
        """Return what the caller is told of a problem."""
        model, request_id = self.request.model_name, self.request.request_id
        known = as_numbatch_error(problem, model=model, request_id=request_id)
        return known.about(model=model, request_id=request_id)

    def cancel(self) -> None:
        self._give_up(self)


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
        work = _Work("Infer", len(data), self._give_up)
        try:
            work.request, blobs = INFER_REQUEST.decode(data)
            pending = self._start(work, blobs, deadline)
            outputs = pending.outputs if isinstance(pending, Done) else await pending.wait()
            answer = INFER_RESPONSE.encode(_response(work), outputs)
            check_response_size(len(answer), self._max_message_bytes, "send fewer rows at once")
        except asyncio.CancelledError:
            work.cancel()
            raise
        except Exception as unexpected:
            problem = work.about(unexpected)
            self._report(work, problem=problem)
            if problem is unexpected:
                raise
            raise problem from unexpected
        self._report(work, response_bytes=len(answer))
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

    def _start_streamed(self, data: bytes, deadline: float | None) -> _Work:
        work = _Work("StreamInfer", len(data), self._give_up)
        try:
            message, blobs = STREAM_INFER_REQUEST.decode(data)
            work.request = message.request
            self._start(work, blobs, deadline)
        except Exception as unexpected:
            # Its traceback leads back to the work: a cycle, which the collector would have to find.
            work.problem = work.about(unexpected).with_traceback(None)
        return work

    async def _finish_streamed(self, work: _Work) -> bytes:
        request = work.request
        try:
            pending = work.pending
            if pending is None:
                assert work.problem is not None
                raise work.problem
            outputs = pending.outputs if isinstance(pending, Done) else await pending.wait()
            message = StreamInferResponse(request_id=request.request_id, response=_response(work))
            answer = STREAM_INFER_RESPONSE.encode(message, outputs)
            check_response_size(len(answer), self._max_message_bytes, "send fewer rows at once")
        except asyncio.CancelledError:
            work.cancel()
            raise
        except Exception as unexpected:
            problem = work.about(unexpected)
            self._report(work, problem=problem)
            return StreamInferResponse(request_id=request.request_id, error=status_of(problem)).SerializeToString()
        self._report(work, response_bytes=len(answer))
        return answer

    def _start(self, work: _Work, blobs: list[memoryview], deadline: float | None) -> Pending | Done:
        request = work.request
        if len(request.request_id) > _MAX_REQUEST_ID:
            got, expected = f"{len(request.request_id)} characters", f"at most {_MAX_REQUEST_ID}"
            raise error(Reason.INVALID_FIELD, field="request_id", got=got, expected=expected)
        priority = _PRIORITIES.get(request.priority)
        if priority is None:
            expected = "PRIORITY_NORMAL (1) or PRIORITY_HIGH (2)"
            raise error(Reason.INVALID_FIELD, field="priority", got=request.priority, expected=expected)
        inputs = [
            (tensor.name, read_tensor(tensor, blob, f"inputs[{position}]"))
            for position, (tensor, blob) in enumerate(zip(request.inputs, blobs, strict=True))
        ]
        call = InferenceCall(request.model_name, request.model_version, inputs, request.layers, deadline, priority)
        work.pending = pending = self._core.infer(call)
        return pending

    def _give_up(self, work: _Work) -> None:
        """Let go of a request whose caller does not wait any more."""
        if work.pending is not None:
            self._core.withdraw(work.pending)
        self._report(work, problem=error(Reason.CANCELLED, "cancelled"))

    def _report(self, work: _Work, *, problem: NumbatchError | None = None, response_bytes: int = 0) -> None:
        request, pending = work.request, work.pending
        if pending is None:
            version, rows, queue_s, compute_s = request.model_version, 0, 0.0, 0.0
        else:
            version, rows, queue_s, compute_s = pending.version, pending.rows, pending.queue_s, pending.compute_s
        self._observer.on_request(
            RequestReport(
                method=work.method,
                model=request.model_name,
                version=version,
                request_id=request.request_id,
                rows=rows,
                reason=problem.reason if problem else "",
                limit=problem.field if problem and problem.reason is Reason.SERVER_OVERLOADED else "",
                started=work.started,
                seconds=time.monotonic() - work.started,
                queue_s=queue_s,
                compute_s=compute_s,
                request_bytes=work.size_bytes,
                response_bytes=response_bytes,
                trace_parent=trace_parent(),
            )
        )


def _response(work: _Work) -> InferResponse:
    assert work.pending is not None  # it was answered
    request = work.request
    return InferResponse(
        model_name=request.model_name, model_version=work.pending.version, request_id=request.request_id
    )
