"""The trace that a call belongs to, as its caller says in the header `traceparent` of the W3C.

gRPC runs each call in a task of its own, and what is noted here is seen in that task and those that it starts.
"""

from contextvars import ContextVar

from numbatch.serving.rpc.context import CallContext

_KEY = "traceparent"

_noted: ContextVar[str] = ContextVar("numbatch_trace_parent", default="")


def note_trace_parent(context: CallContext) -> None:
    """Note what a call brings."""
    for key, value in context.invocation_metadata() or ():
        if key == _KEY:
            _noted.set(value)
            return


def trace_parent() -> str:
    """Return what was noted of the call that is being answered; "" if nothing was."""
    return _noted.get()
