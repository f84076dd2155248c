"""What went wrong in a call, as an exception of `numbatch.wire.errors`.

A numbatch server says why it failed in the details of its status, and the exception here is the one that it raised.
What gRPC itself reports (no connection, a deadline, a message over the limit) has a code and a text made for developers
of gRPC; here it gets a reason, and a text that says what to do.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from numbatch.client._unreachable import none_ready, unreachable
from numbatch.v1.errors_pb2 import Status
from numbatch.wire.errors import NumbatchError, error, error_class
from numbatch.wire.reasons import Reason
from numbatch.wire.status import STATUS_DETAILS_KEY, from_status

_OVER_LIMIT = re.compile(r"(?P<side>CLIENT|SERVER): (?:Sent|Received) message larger than max \((\d+) vs\. (\d+)\)")


@dataclass(frozen=True)
class CallDetails:
    """What a call is about, for its errors.

    Attributes
    ----------
    server : str
        Where it goes.
    timeout_s : float
        How long it may take, in seconds.
    model, version, request_id : str, int, str
        What it asks, as far as that applies.
    """

    server: str
    timeout_s: float
    model: str = ""
    version: int = 0
    request_id: str = ""


@contextmanager
def errors_of(call: CallDetails) -> Iterator[None]:
    """Make every failure of a call a NumbatchError that says what the call was about."""
    try:
        yield
    except NumbatchError as known:
        known.about(model=call.model, version=call.version, request_id=call.request_id)
        raise
    except grpc.RpcError as failure:
        raise from_rpc_error(failure, call) from failure


def from_rpc_error(failure: Any, call: CallDetails) -> NumbatchError:
    """Return the exception for a failed call of either stack."""
    known = _from_details(failure) or _from_core(failure.code(), failure.details() or "", call)
    return known.about(model=call.model, version=call.version, request_id=call.request_id)


def deadline_exceeded(call: CallDetails, waited_for: str = "no answer") -> NumbatchError:
    """Return the error for a call that took too long."""
    return error(Reason.DEADLINE_EXCEEDED, f"{waited_for} from {call.server} within {call.timeout_s:g} s")


def client_closed() -> NumbatchError:
    """Return the error for what was in progress when its client was closed."""
    return error(Reason.CANCELLED, "the client was closed")


def not_ready(call: CallDetails, found: bool, why: NumbatchError | None, is_one: bool) -> NumbatchError:
    """Return the error for a server, or several, of which none became ready in time.

    Parameters
    ----------
    call : CallDetails
        The call that waited.
    found : bool
        Whether there was one at all.
    why : NumbatchError or None
        How the last try ended, if the server could not be reached.
    is_one : bool
        False: gRPC watches several, and does not tell which of them are there.
    """
    problem = f"no server of {call.server} was ready"
    if is_one:
        problem = f"{call.server} was not ready" if found or why else f"no connection to {call.server}"
    problem += f" within {call.timeout_s:g} s"
    if why is not None and why.message != none_ready(call.server).message:
        problem += f": {why.message}"
    return error(Reason.DEADLINE_EXCEEDED, problem)


def _from_details(failure: Any) -> NumbatchError | None:
    for key, value in failure.trailing_metadata() or ():
        if key == STATUS_DETAILS_KEY:
            try:
                return from_status(Status.FromString(value))
            except DecodeError:
                return None
    return None


def _from_core(code: grpc.StatusCode, details: str, call: CallDetails) -> NumbatchError:
    over_limit = _OVER_LIMIT.search(details)
    if over_limit:
        side, got, limit = over_limit.groups()
        return error(
            Reason.MESSAGE_TOO_LARGE,
            f"a message over the limit of the {side.lower()}",
            got=f"{got} bytes",
            expected=f"at most {limit} bytes",
            hint="send or ask for less at once, or raise max_message_bytes there",
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return unreachable(call.server, details)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return deadline_exceeded(call)
    if code is grpc.StatusCode.CANCELLED:
        return error(Reason.CANCELLED, f"the call to {call.server} was cancelled: {details}")
    if code is grpc.StatusCode.NOT_FOUND and call.model:
        return error(Reason.MODEL_NOT_FOUND, f"{call.server} has no such model")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        details = f"{details} The server there is another one than numbatch's, or an older one"
    number, name = code.value[0], code.name
    return error_class(Reason.UNSPECIFIED, number)(Reason.UNSPECIFIED, f"{call.server} answered {name}: {details}")
