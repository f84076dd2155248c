"""All that a server tells of itself, put together: who is told of a request, and what is done at each beat."""

import asyncio
import logging
from collections.abc import Sequence

from prometheus_client import CollectorRegistry

from numbatch.engine.resident import trim_heap
from numbatch.repository.report import LoadReport
from numbatch.serving.config import ServerConfig
from numbatch.serving.idle_heap import IdleHeap, resident_bytes
from numbatch.serving.observability.connections import Connections
from numbatch.serving.observability.exposition import Exposition, shared_folder
from numbatch.serving.observability.heartbeat import Heartbeat
from numbatch.serving.observability.labels import VersionLabels
from numbatch.serving.observability.levels import Levels, Sources
from numbatch.serving.observability.metrics import Metrics
from numbatch.serving.observability.recorder import MetricsRecorder
from numbatch.serving.observability.request_log import RequestLog
from numbatch.serving.observer import BatchReport, Observer, RequestReport
from numbatch.serving.tracing import Tracer, make_tracer

_log = logging.getLogger(__name__)

# How old the figures of a worker may be that another one answers with.
_SHARE_EVERY_S = 1.0
_TELL_SUPPRESSED_EVERY_S = 10.0


class Observability(Observer):
    """Observes a server. It belongs to the thread of the event loop.

    Parameters
    ----------
    config : ServerConfig
        What the server was told.
    sources : Sources
        Where it reads what is not reported.
    others : sequence of Observer
        Are told of everything as well.
    """

    def __init__(self, config: ServerConfig, sources: Sources, others: Sequence[Observer] = ()) -> None:
        registry = CollectorRegistry()
        self._metrics = Metrics(registry)
        labels = VersionLabels(lambda *key: _is_known(sources, *key))
        self._levels = Levels(self._metrics, sources, labels)
        self._recorder = MetricsRecorder(self._metrics, labels)
        self._shared_folder = shared_folder()
        self._exposition = Exposition(registry, self._shared_folder, Connections(sources.port))
        self._request_log = RequestLog()
        self._tracer: Tracer | None = None
        if config.trace_endpoint:
            self._tracer = make_tracer(config.trace_endpoint, config.trace_sample_ratio)
        self._observers: list[Observer] = [self._recorder, self._request_log, *others]
        if self._tracer is not None:
            self._observers.append(self._tracer)
        self._told_bug = False
        self._idle_heap = IdleHeap(lambda: not sources.queues().bytes_in_flight, resident_bytes)
        self._loop = asyncio.get_running_loop()
        self._heartbeat = Heartbeat(self._loop, self.beat)
        self._shared_at = self._told_at = self._loop.time()

    def start(self) -> None:
        """Begin to watch the event loop."""
        self._heartbeat.start()

    async def stop(self) -> None:
        """End, and hand over what was counted and traced; it may be called more than once."""
        self._heartbeat.stop()
        self._refresh()
        self._request_log.tell_suppressed()
        if self._tracer is not None:
            tracer, self._tracer = self._tracer, None
            await asyncio.to_thread(tracer.shutdown)

    def on_request(self, report: RequestReport) -> None:
        """Count, log and trace a request."""
        try:
            for observer in self._observers:
                observer.on_request(report)
        except Exception:  # the request is well
            self._tell_bug()

    def on_batch(self, report: BatchReport) -> None:
        """Count a batch."""
        try:
            for observer in self._observers:
                observer.on_batch(report)
        except Exception:
            self._tell_bug()

    def on_load(self, report: LoadReport) -> None:
        """Count a version that was loaded, or was not."""
        for observer in self._observers:
            observer.on_load(report)

    async def scrape(self, accept: str) -> tuple[bytes, str]:
        """Return all metrics as text and its content type, for the header Accept of a request."""
        self._refresh()
        # With many models it is many lines: requests go on meanwhile.
        return await asyncio.to_thread(self._exposition.render, accept)

    def beat(self, lag_s: float, now: float) -> None:
        """Do what is due now and then.

        Parameters
        ----------
        lag_s : float
            How late the event loop was.
        now : float
            The loop's time.
        """
        self._metrics.loop_lag.observe(lag_s)
        if self._idle_heap.look():
            self._loop.run_in_executor(None, trim_heap)
        if self._shared_folder is not None and now - self._shared_at >= _SHARE_EVERY_S:
            self._shared_at = now
            self._refresh()
        if now - self._told_at >= _TELL_SUPPRESSED_EVERY_S:
            self._told_at = now
            self._request_log.tell_suppressed()

    def _tell_bug(self) -> None:
        """Log an exception of an observer: the first one, as the next request is likely to bring it as well."""
        if not self._told_bug:
            self._told_bug = True
            _log.exception("observing failed unexpectedly; it is not told again")

    def _refresh(self) -> None:
        self._recorder.flush()
        self._levels.refresh()


def _is_known(sources: Sources, model: str, version: int) -> bool:
    versions = sources.snapshot().versions.get(model)
    return versions is not None and (version == 0 or version in versions)
