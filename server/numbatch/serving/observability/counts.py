"""What was counted since it was last handed to Prometheus' metrics: requests of a version, batches of a model."""

from numbatch.serving.observability.metrics import DURATION_BUCKETS_S, REQUESTS_BUCKETS, ROWS_BUCKETS, Metrics
from numbatch.serving.observability.tally import Distribution
from numbatch.serving.observer import BatchReport, RequestReport
from numbatch.wire.reasons import Reason

OK = "OK"

# The requests whose durations count. With those that are refused at once, a server that refuses everything would look
# fast; without those whose caller gave up, one that answers nothing in time would.
_WAITED = {"", Reason.DEADLINE_EXCEEDED, Reason.CANCELLED}


class VersionCounts:
    """The requests of one version.

    Parameters
    ----------
    metrics : Metrics
        To which they are handed.
    labels : (str, str)
        The model and the version.
    """

    def __init__(self, metrics: Metrics, labels: tuple[str, str]) -> None:
        self._metrics = metrics
        self._labels = labels
        self._requests: dict[tuple[str, str], int] = {}
        self._refusals: dict[str, int] = {}
        self._rows = self._request_bytes = self._response_bytes = 0
        self._request_duration = Distribution(metrics.request_duration.labels(*labels), DURATION_BUCKETS_S)
        self._queue_duration = Distribution(metrics.queue_duration.labels(*labels), DURATION_BUCKETS_S)

    def add(self, report: RequestReport) -> None:
        """Count a request."""
        reason = report.reason
        key = (report.method, reason)
        self._requests[key] = self._requests.get(key, 0) + 1
        self._request_bytes += report.request_bytes
        self._response_bytes += report.response_bytes
        if reason in _WAITED:
            self._request_duration.observe(report.seconds)
        if report.compute_s:
            self._queue_duration.observe(report.queue_s)
        if not reason:
            self._rows += report.rows
        elif report.limit:
            self._refusals[report.limit] = self._refusals.get(report.limit, 0) + 1

    def flush(self) -> None:
        """Hand over what was counted."""
        if not self._requests:
            return
        metrics, labels = self._metrics, self._labels
        for (method, reason), count in self._requests.items():
            metrics.requests.labels(method, *labels, reason or OK).inc(count)
        for limit, count in self._refusals.items():
            metrics.refusals.labels(labels[0], limit).inc(count)
        metrics.rows.labels(*labels).inc(self._rows)
        metrics.request_bytes.labels(*labels).inc(self._request_bytes)
        metrics.response_bytes.labels(*labels).inc(self._response_bytes)
        self._requests.clear()
        self._refusals.clear()
        self._rows = self._request_bytes = self._response_bytes = 0
        self._request_duration.flush()
        self._queue_duration.flush()


class BatchCounts:
    """The batches of one model.

    Parameters
    ----------
    metrics : Metrics
        To which they are handed.
    model : str
        The label.
    """

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._failures = metrics.batch_failures.labels(model)
        self._new_failures = 0
        self._duration = Distribution(metrics.batch_duration.labels(model), DURATION_BUCKETS_S)
        self._rows = Distribution(metrics.batch_rows.labels(model), ROWS_BUCKETS)
        self._requests = Distribution(metrics.batch_requests.labels(model), REQUESTS_BUCKETS)

    def add(self, report: BatchReport) -> None:
        """Count a batch."""
        self._duration.observe(report.compute_s)
        self._rows.observe(report.rows)
        self._requests.observe(len(report.queue_s))
        self._new_failures += report.failed

    def flush(self) -> None:
        """Hand over what was counted."""
        self._failures.inc(self._new_failures)
        self._new_failures = 0
        self._duration.flush()
        self._rows.flush()
        self._requests.flush()
