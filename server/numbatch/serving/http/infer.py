"""POST /v2/models/MODEL/infer: the Open Inference Protocol's inference over HTTP."""

import asyncio
import time

from aiohttp import web
from aiohttp.hdrs import CONTENT_TYPE

from numbatch.serving.core import Core
from numbatch.serving.http.bodies import Bodies
from numbatch.serving.http.gate import Gate
from numbatch.serving.http.infer_answers import write_response
from numbatch.serving.http.infer_requests import JSON_LENGTH, read_request
from numbatch.serving.http.refusals import refusal
from numbatch.serving.http.sending import send
from numbatch.serving.observer import HTTP, Observer
from numbatch.serving.oip.requests import finish, in_their_words, start
from numbatch.serving.oip.shared_memory import Regions
from numbatch.serving.security.access import Scope
from numbatch.serving.work import Work

# How metrics call it.
METHOD = "HttpInfer"

_BINARY, _JSON = "application/octet-stream", "application/json"


class InferRoutes:
    """Answers requests for inference.

    Parameters
    ----------
    core : Core
        Does the work.
    regions : Regions
        Shared memory that tensors may be in.
    observer : Observer
        Is told of every request.
    bodies : Bodies
        Reads them.
    max_message_bytes : int
        The largest answer.
    max_json_bytes : int
        The most JSON of a request.
    stall_s : float
        How long a peer may not read its answer.
    """

    def __init__(
        self,
        core: Core,
        regions: Regions,
        observer: Observer,
        bodies: Bodies,
        *,
        max_message_bytes: int,
        max_json_bytes: int,
        stall_s: float,
    ) -> None:
        self._core = core
        self._regions = regions
        self._observer = observer
        self._bodies = bodies
        self._max_message_bytes = max_message_bytes
        self._max_json_bytes = max_json_bytes
        self._stall_s = stall_s

    def routes(self, gate: Gate) -> list[web.RouteDef]:
        """Return the routes."""
        paths = ("/v2/models/{model}/infer", "/v2/models/{model}/versions/{version}/infer")
        return [gate.post(path, self.infer, Scope.INFERENCE) for path in paths]

    async def infer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        work = Work(
            self._core,
            self._observer,
            METHOD,
            request.content_length or 0,
            service=HTTP,
        )
        work.model = request.match_info["model"]
        try:
            body = await self._bodies.read(request)
            work.size_bytes, work.started = len(body), time.monotonic()
            answer, response_bytes = await self._answer(request, work, body)
        except asyncio.CancelledError:
            work.cancel()
            raise
        except web.HTTPException:
            raise  # what came was no request
        except Exception as unexpected:
            # Its traceback leads to this frame, which has it: a cycle, and with it all that the request brought.
            problem = in_their_words(work.about(unexpected)).with_traceback(None)
            work.report(problem=problem)
            return refusal(problem)
        work.report(response_bytes=response_bytes)
        return answer

    async def _answer(
        self, request: web.Request, work: Work, body: bytes | bytearray
    ) -> tuple[web.StreamResponse, int]:
        parsed = read_request(
            body,
            request.headers.get(JSON_LENGTH),
            model=work.model,
            version=request.match_info.get("version", ""),
            max_json_bytes=self._max_json_bytes,
        )
        start(work, parsed.request, None, self._regions)
        response = await finish(work, parsed.request, self._regions)
        written = await write_response(response, parsed, self._max_message_bytes)
        headers: dict[str, str] = {CONTENT_TYPE: _JSON}
        if written.json_bytes is not None:
            headers = {CONTENT_TYPE: _BINARY, JSON_LENGTH: str(written.json_bytes)}
        answer = await send(request, written.parts, headers, self._stall_s)
        return answer, sum(map(len, written.parts))
