"""A request on its way through the server, whatever brought it: started once, told of once, answered or not."""

import time
from collections.abc import Sequence

from numbatch.serving.core import Core, InferenceCall
from numbatch.serving.failures import as_numbatch_error
from numbatch.serving.observer import INFERENCE_SERVICE, Observer, RequestReport
from numbatch.serving.pending import Done, Pending
from numbatch.serving.trace_parent import trace_parent
from numbatch.wire.codec import NamedArray
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

MAX_REQUEST_ID = 128


class Work:
    """A request whose bytes are here: whose it is, and what is to become of it: an answer, or a problem.

    Parameters
    ----------
    core : Core
        Does the work.
    observer : Observer
        Is told of it, when it is over.
    method, service : str
        What was called.
    size_bytes : int
        The length of its message.

    Attributes
    ----------
    model, request_id : str
        As the request has them; set by whoever reads it.
    version : int
        The one asked for; 0 until it is read.
    pending : Pending, Done or None
        What the core has of it.
    problem : NumbatchError or None
        Why it could not be started, where that is answered later.
    """

    __slots__ = (
        *("_core", "_observer", "method", "model", "pending"),
        *("problem", "request_id", "service", "size_bytes", "started", "version"),
    )

    def __init__(
        self,
        core: Core,
        observer: Observer,
        method: str,
        size_bytes: int,
        *,
        service: str = INFERENCE_SERVICE,
    ) -> None:
        self.started = time.monotonic()
        self._core = core
        self._observer = observer
        self.method = method
        self.service = service
        self.size_bytes = size_bytes
        self.model = ""
        self.version = 0
        self.request_id = ""
        self.pending: Pending | Done | None = None
        self.problem: NumbatchError | None = None

    def start(self, call: InferenceCall) -> None:
        """Hand it to the core.

        Raises
        ------
        NumbatchError
            As `Core.infer`.
        """
        self.pending = self._core.infer(call)

    async def outputs(self) -> Sequence[NamedArray]:
        """Wait for the outputs.

        Raises
        ------
        NumbatchError
            Why there are none.
        """
        pending = self.pending
        if pending is None:
            assert self.problem is not None
            raise self.problem
        return pending.outputs if isinstance(pending, Done) else await pending.wait()

    def put_off(self, problem: Exception) -> None:
        """Keep what went wrong when it was started, to be raised by `outputs`."""
        # Its traceback leads back to the work: a cycle, which the collector would have to find.
        self.problem = self.about(problem).with_traceback(None)

    def about(self, problem: BaseException) -> NumbatchError:
        """Return what the caller is told of a problem."""
        known = as_numbatch_error(problem, model=self.model, request_id=self.request_id)
        return known.about(model=self.model, request_id=self.request_id)

    def cancel(self) -> None:
        """Let go of it: its caller does not wait any more."""
        if self.pending is not None:
            self._core.withdraw(self.pending)
        self.report(problem=error(Reason.CANCELLED, "cancelled"))

    def report(self, *, problem: NumbatchError | None = None, response_bytes: int = 0) -> None:
        """Tell the observer what became of it."""
        pending = self.pending
        if pending is None:
            version, rows, queue_s, compute_s = self.version, 0, 0.0, 0.0
        else:
            version, rows, queue_s, compute_s = pending.version, pending.rows, pending.queue_s, pending.compute_s
        self._observer.on_request(
            RequestReport(
                method=self.method,
                model=self.model,
                version=version,
                request_id=self.request_id,
                rows=rows,
                reason=problem.reason if problem else "",
                limit=problem.field if problem and problem.reason is Reason.SERVER_OVERLOADED else "",
                started=self.started,
                seconds=time.monotonic() - self.started,
                queue_s=queue_s,
                compute_s=compute_s,
                request_bytes=self.size_bytes,
                response_bytes=response_bytes,
                trace_parent=trace_parent(),
                service=self.service,
            )
        )


def check_request_id(request_id: str, field: str = "request_id") -> None:
    """Refuse an id that is too long to be repeated in answers, logs and traces.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    if len(request_id) > MAX_REQUEST_ID:
        got, expected = f"{len(request_id)} characters", f"at most {MAX_REQUEST_ID}"
        raise error(Reason.INVALID_FIELD, field=field, got=got, expected=expected)
