"""Any exception -> the error that a caller is told of."""

import asyncio
import logging

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)


def as_numbatch_error(problem: BaseException, *, model: str = "", request_id: str = "") -> NumbatchError:
    """Return the error that a caller is told of; what is not meant for callers goes to the log instead.

    A cancellation counts as the server's own: one that comes from the caller is to be raised, not answered.

    Parameters
    ----------
    problem : BaseException
        What was raised.
    model, request_id : str
        Which request it was, for the log.
    """
    if isinstance(problem, NumbatchError):
        return problem
    if isinstance(problem, asyncio.CancelledError):
        return draining()
    fields = {"exception_type": type(problem).__name__, "model": model, "request_id": request_id}
    text = "unexpected %(exception_type)s in a request model=%(model)r request_id=%(request_id)r"
    _log.error(text, fields, exc_info=problem)
    return error(Reason.INTERNAL, "something unexpected went wrong; the server's log says more")


def draining() -> NumbatchError:
    """Return the error for what is refused because the server is about to end."""
    return error(Reason.SERVER_DRAINING, "the server is shutting down", hint="try again, another server may answer")


def cut(text: str, length: int) -> str:
    """Return a text of at most so many bytes: errors quote what callers sent."""
    encoded = text.encode(errors="backslashreplace")
    if len(encoded) > length:
        return encoded[: length - 3].decode(errors="ignore") + "..."
    return encoded.decode()
