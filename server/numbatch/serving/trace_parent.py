"""The trace that a call belongs to, as its caller says in the header `traceparent` of the W3C.

Each call, over gRPC or HTTP, runs in a task of its own, and what is noted here is seen in that task and those that it
starts.
"""

from contextvars import ContextVar

TRACE_PARENT = "traceparent"

_noted: ContextVar[str] = ContextVar("numbatch_trace_parent", default="")


def note_trace_parent(brought: str | None) -> None:
    """Note what a call brings, if it brings anything."""
    if brought is not None:
        _noted.set(brought)


def trace_parent() -> str:
    """Return what was noted of the call that is being answered; "" if nothing was."""
    return _noted.get()
