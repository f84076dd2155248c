"""Failures on their way out over HTTP: a status, and a JSON object whose `error` says why."""

import json
import math

from aiohttp import web
from aiohttp.hdrs import RETRY_AFTER, WWW_AUTHENTICATE
from aiohttp.typedefs import Handler

from numbatch.serving.failures import cut
from numbatch.wire.errors import MessageTooLargeError, NumbatchError
from numbatch.wire.reasons import Code, Reason

# What is too much for now is 503 and no 429: it is the server's load, not what this caller has sent.
_STATUSES = {
    Code.CANCELLED: 499,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 503,
    Code.FAILED_PRECONDITION: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.UNAUTHENTICATED: 401,
}

_MAX_ERROR_BYTES = 4096


def status_of(problem: NumbatchError) -> int:
    """Return the HTTP status of an error."""
    if isinstance(problem, MessageTooLargeError):
        return 413
    return _STATUSES.get(problem.code, 500)


def refusal(problem: NumbatchError) -> web.Response:
    """Return the answer that tells an error."""
    content = {"error": cut(problem.message, _MAX_ERROR_BYTES)}
    if problem.reason is not Reason.UNSPECIFIED:
        content["reason"] = str(problem.reason)
    headers: dict[str, str] = {}
    if problem.retry_delay_s is not None:
        headers[RETRY_AFTER] = str(math.ceil(problem.retry_delay_s))
    if problem.code is Code.UNAUTHENTICATED:
        headers[WWW_AUTHENTICATE] = "Bearer"
    return json_answer(content, status_of(problem), headers)


def json_answer(content: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return an answer with a small JSON value."""
    return web.Response(
        body=json.dumps(content).encode(), status=status, headers=headers, content_type="application/json"
    )


@web.middleware
async def tell_in_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Have what aiohttp refuses itself told in JSON as well, on the paths where answers are JSON."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        if not request.path.startswith("/v2"):
            raise
        known = {405: f"{request.method} is not allowed here", 404: "no such path"}
        text = known.get(refused.status, refused.text or refused.reason)
        kept = {name: value for name, value in refused.headers.items() if not name.lower().startswith("content-")}
        return json_answer({"error": text}, refused.status, kept)
