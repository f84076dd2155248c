"""inference.GRPCInferenceService, the hot path: ModelInfer and ModelStreamInfer."""

import asyncio

import grpc

from numbatch.oip.grpc_inference_service_pb2 import ModelInferResponse, ModelStreamInferResponse
from numbatch.serving.core import Core
from numbatch.serving.failures import cut
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.observer import Observer
from numbatch.serving.oip.messages import InferRequest
from numbatch.serving.oip.parameters import WANTS_FINAL_RESPONSE
from numbatch.serving.oip.requests import SERVICE, finish, in_their_words, start
from numbatch.serving.oip.shared_memory import Regions
from numbatch.serving.rpc.calls import Calls, deadline_of
from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.limits import check_response_size
from numbatch.serving.rpc.oip_requests import read_request, write_response
from numbatch.serving.rpc.stream import serve_in_order
from numbatch.serving.rpc.window import StreamLimits
from numbatch.serving.security.access import Scope
from numbatch.serving.work import Work
from numbatch.wire.errors import NumbatchError
from numbatch.wire.oip import MODEL_INFER_REQUEST, MODEL_INFER_RESPONSE, MODEL_STREAM_INFER_RESPONSE

_HINT = "send fewer rows at once"
_MAX_MESSAGE_BYTES = 800


class _Asked:
    """A request and what is to become of it."""

    __slots__ = ("request", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.request: InferRequest | None = None

    def cancel(self) -> None:
        self.work.cancel()

    def failed(self, unexpected: BaseException) -> NumbatchError:
        """Return what the caller is told, once it was noted."""
        problem = in_their_words(self.work.about(unexpected))
        self.work.report(problem=problem)
        return problem


class OipInferenceService:
    """Answers ModelInfer and ModelStreamInfer.

    Parameters
    ----------
    core : Core
        Does the work.
    lifecycle : Lifecycle
        Says when streams are to end.
    regions : Regions
        Where tensors may be.
    max_message_bytes : int
        The largest answer.
    stream_limits : StreamLimits
        What one stream may take up.
    observer : Observer, optional
        Is told of every request.
    """

    def __init__(
        self,
        core: Core,
        lifecycle: Lifecycle,
        regions: Regions,
        *,
        max_message_bytes: int,
        stream_limits: StreamLimits,
        observer: Observer | None = None,
    ) -> None:
        self._core = core
        self._lifecycle = lifecycle
        self._regions = regions
        self._max_message_bytes = max_message_bytes
        self._stream_limits = stream_limits
        self._observer = observer or Observer()

    def handlers(self, calls: Calls) -> grpc.GenericRpcHandler:
        """Return what gRPC is given."""
        methods = {
            "ModelInfer": calls.unary(self.model_infer, Scope.INFERENCE),
            "ModelStreamInfer": calls.stream_stream(self.model_stream_infer, Scope.INFERENCE),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def model_infer(self, data: bytes, deadline: float | None) -> bytes:
        """Answer one request."""
        asked = self._asked("ModelInfer", data)
        try:
            request = self._start(asked, data, deadline)
            response = await finish(asked.work, request, self._regions)
            answer = MODEL_INFER_RESPONSE.encode(*write_response(response))
            check_response_size(len(answer), self._max_message_bytes, _HINT)
        except asyncio.CancelledError:
            asked.cancel()
            raise
        except Exception as unexpected:
            problem = asked.failed(unexpected)
            if problem is unexpected:
                raise
            raise problem from unexpected
        asked.work.report(response_bytes=len(answer))
        return answer

    async def model_stream_infer(self, _: object, context: CallContext) -> None:
        """Answer the requests of one stream."""
        deadline = deadline_of(context)
        await serve_in_order(
            context,
            self._lifecycle,
            start=lambda data: self._start_streamed(data, deadline),
            finish=self._finish_streamed,
            limits=self._stream_limits,
        )

    def _start_streamed(self, data: bytes, deadline: float | None) -> _Asked:
        asked = self._asked("ModelStreamInfer", data)
        try:
            self._start(asked, data, deadline)
        except Exception as problem:
            asked.work.put_off(problem)
        return asked

    async def _finish_streamed(self, asked: _Asked) -> bytes:
        work, request = asked.work, asked.request
        try:
            if request is None or work.pending is None:
                await work.outputs()  # raises what went wrong
            assert request is not None
            response = await finish(work, request, self._regions)
            message, raw = write_response(response, final=bool(request.parameters.get(WANTS_FINAL_RESPONSE)))
            answer = MODEL_STREAM_INFER_RESPONSE.encode(ModelStreamInferResponse(infer_response=message), raw)
            check_response_size(len(answer), self._max_message_bytes, _HINT)
        except asyncio.CancelledError:
            work.cancel()
            raise
        except Exception as unexpected:
            problem = asked.failed(unexpected)
            text = cut(f"[{problem.reason}] {problem.message}", _MAX_MESSAGE_BYTES)
            identified = ModelInferResponse(id=cut(work.request_id, _MAX_MESSAGE_BYTES))
            return ModelStreamInferResponse(error_message=text, infer_response=identified).SerializeToString()
        work.report(response_bytes=len(answer))
        return answer

    def _asked(self, method: str, data: bytes) -> _Asked:
        return _Asked(Work(self._core, self._observer, method, len(data), service=SERVICE))

    def _start(self, asked: _Asked, data: bytes, deadline: float | None) -> InferRequest:
        message, raw = MODEL_INFER_REQUEST.decode(data)
        asked.work.model, asked.work.request_id = message.model_name, message.id
        request = asked.request = read_request(message, raw)
        start(asked.work, request, deadline, self._regions)
        return request
