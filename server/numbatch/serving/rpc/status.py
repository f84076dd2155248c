"""Failures on their way out: an error with a reason -> trailing metadata of bounded size."""

import math
from typing import NoReturn

import grpc

from numbatch.serving.failures import cut
from numbatch.serving.rpc.context import CallContext
from numbatch.v1.errors_pb2 import Status
from numbatch.wire.errors import ModelError, NumbatchError, RequestError
from numbatch.wire.reasons import Reason
from numbatch.wire.status import STATUS_DETAILS_KEY, to_status

_CODES = {code.value[0]: code for code in grpc.StatusCode}

# What gRPC's own retrying obeys, in every language: wait so many milliseconds, or, below zero, do not try again.
_PUSHBACK_KEY = "grpc-retry-pushback-ms"
_POINTLESS = {
    Reason.MODEL_NOT_READY,
    Reason.MEMORY_LIMIT,
    Reason.STREAM_STALLED,
    Reason.UNAUTHENTICATED,
    Reason.PERMISSION_DENIED,
}

# Peers may refuse metadata beyond 8 KiB. The message is sent three times, once percent-encoded and twice in base64.
_MAX_MESSAGE_BYTES = 800
_MAX_DETAIL_BYTES = 250


def status_of(problem: NumbatchError) -> Status:
    """Return the message for an error, cut to a size that every peer takes: errors quote what callers sent."""
    return to_status(
        type(problem)(
            problem.reason,
            cut(problem.message, _MAX_MESSAGE_BYTES),
            field=cut(problem.field, _MAX_DETAIL_BYTES),
            got=cut(problem.got, _MAX_DETAIL_BYTES),
            expected=cut(problem.expected, _MAX_DETAIL_BYTES),
            model=cut(problem.model, _MAX_DETAIL_BYTES),
            version=problem.version,
            request_id=cut(problem.request_id, _MAX_DETAIL_BYTES),
            retry_delay_s=problem.retry_delay_s,
        )
    )


def retry_pushback_ms(problem: NumbatchError) -> int | None:
    """Return how long the peer's gRPC is to wait before it tries again; -1: not at all; None: as it thinks fit."""
    if problem.retry_delay_s is not None:
        return math.ceil(1000 * problem.retry_delay_s)
    if isinstance(problem, RequestError | ModelError) or problem.reason in _POINTLESS:
        return -1
    return None


async def abort(context: CallContext, problem: NumbatchError) -> NoReturn:
    """End a call with an error."""
    status = status_of(problem)
    trailing: list[tuple[str, bytes | str]] = [(STATUS_DETAILS_KEY, status.SerializeToString())]
    pushback_ms = retry_pushback_ms(problem)
    if pushback_ms is not None:
        trailing.append((_PUSHBACK_KEY, str(pushback_ms)))
    await context.abort(_CODES[status.code], status.message, tuple(trailing))
