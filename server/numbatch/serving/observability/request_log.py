"""A line for a request that failed, few enough that overload does not fill the log; at debug, one for each request.

Of each reason ten lines may come at once and one a second after that. How many were left out is told every ten seconds.
"""

import logging
import time
from collections.abc import Callable

from numbatch.serving.observability.throttle import Throttle
from numbatch.serving.observer import Observer, RequestReport
from numbatch.wire.errors import InternalError, ServiceError, error_class
from numbatch.wire.reasons import Reason

_log = logging.getLogger("numbatch.requests")

BURST = 10
PER_S = 1.0

# Callers name models and requests as they like.
_MOST_CHARACTERS = 128

# The caller's own doing, or bad luck: nothing an operator must see to.
_QUIET = {Reason.CANCELLED, Reason.DEADLINE_EXCEEDED}

_LINE = (
    "%(outcome)s method=%(method)s model=%(model)r version=%(version)d request_id=%(request_id)r rows=%(rows)d "
    "seconds=%(seconds).6f queue_s=%(queue_s).6f compute_s=%(compute_s).6f"
)
_FAILED_LINE = _LINE + " reason=%(reason)s limit=%(limit)s"


class RequestLog(Observer):
    """Logs requests.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._throttle = Throttle(BURST, PER_S)

    def on_request(self, report: RequestReport) -> None:
        """Log a request, if it failed or everything is logged."""
        if not report.reason:
            if _log.isEnabledFor(logging.DEBUG):
                _log.debug(_LINE, _fields(report, "answered"))
        elif _log.isEnabledFor(logging.DEBUG) or self._throttle.admit(report.reason, self._clock()):
            _log.log(level_of(report.reason), _FAILED_LINE, _fields(report, "failed"))

    def tell_suppressed(self) -> None:
        """Log how many lines were left out since this was last called."""
        for reason, count in self._throttle.suppressed():
            fields = {"reason": reason, "count": count}
            _log.log(level_of(reason), "left out lines of failed requests reason=%(reason)s count=%(count)d", fields)


def level_of(reason: str) -> int:
    """Return how loud a failure is: a warning if an operator may have to act, or a programmer."""
    kind = error_class(Reason(reason))
    loud = issubclass(kind, ServiceError | InternalError) and reason not in _QUIET
    return logging.WARNING if loud else logging.INFO


def _fields(report: RequestReport, outcome: str) -> dict[str, object]:
    fields: dict[str, object] = {
        "outcome": outcome,
        "method": report.method,
        "model": report.model[:_MOST_CHARACTERS],
        "version": report.version,
        "request_id": report.request_id[:_MOST_CHARACTERS],
        "rows": report.rows,
        "seconds": report.seconds,
        "queue_s": report.queue_s,
        "compute_s": report.compute_s,
    }
    if report.reason:
        fields |= {"reason": report.reason, "limit": report.limit}
    return fields
