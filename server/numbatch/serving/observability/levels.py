"""What is read when somebody asks, not counted when it happens: queues, models, calls, whether the server is ready."""

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from numbatch.batching.queue import ModelStatistics, QueueStatistics
from numbatch.engine.resident import heap_bytes
from numbatch.kernels.compilations import compilations
from numbatch.kernels.target import TARGET
from numbatch.repository.snapshot import Snapshot
from numbatch.serving.observability.metrics import Metrics
from numbatch.v1.repository_pb2 import (
    MODEL_STATE_FAILED,
    MODEL_STATE_LOADING,
    MODEL_STATE_READY,
    MODEL_STATE_UNLOADED,
    ModelState,
)

_STATES: dict[ModelState, str] = {
    MODEL_STATE_LOADING: "loading",
    MODEL_STATE_READY: "ready",
    MODEL_STATE_FAILED: "failed",
    MODEL_STATE_UNLOADED: "unloaded",
}

_EMPTY = ModelStatistics(0, 0, 0, 0)


class CallCounts(Protocol):
    """Knows the calls in progress."""

    @property
    def in_progress(self) -> int:
        """All of them."""

    @property
    def open_streams(self) -> int:
        """Those that are streams."""


@dataclass(frozen=True)
class Sources:
    """Where the levels are read.

    Attributes
    ----------
    snapshot : callable
        Returns the models.
    ready : callable
        Says whether the server is ready.
    calls : CallCounts
        The calls in progress.
    queues : callable
        Returns how it stands with what waits.
    port : callable
        Returns the port of gRPC; 0 while or where there is none.
    compilations : callable
        Returns how many functions were compiled in this process.
    tasks : callable
        Returns how many tasks the event loop has.
    """

    snapshot: Callable[[], Snapshot]
    ready: Callable[[], bool]
    calls: CallCounts
    queues: Callable[[], QueueStatistics]
    port: Callable[[], int] = int
    compilations: Callable[[], int] = compilations
    tasks: Callable[[], int] = int


class Levels:
    """Brings the gauges up to date.

    A gauge whose subject is gone becomes 0: series of worker processes cannot be removed.
    """

    def __init__(self, metrics: Metrics, sources: Sources) -> None:
        self._metrics = metrics
        self._sources = sources
        self._queues: set[str] = set()
        self._versions: set[tuple[str, int]] = set()
        self._compiled = 0
        self._was_ready = False
        packages = (version(name) for name in ("numbatch", "grpcio", "numba"))
        numbatch, grpcio, numba = packages
        metrics.build_info.labels(numbatch, platform.python_version(), grpcio, numba, TARGET.name).set(1)

    def refresh(self) -> None:
        """Read everything."""
        metrics, sources = self._metrics, self._sources
        ready = sources.ready()
        metrics.ready.set(ready)
        metrics.calls.set(sources.calls.in_progress)
        metrics.streams.set(sources.calls.open_streams)
        metrics.tasks.set(sources.tasks())
        metrics.heap_bytes.set(heap_bytes())
        metrics.python_blocks.set(sys.getallocatedblocks())
        self._refresh_queues()
        self._refresh_models(sources.snapshot())
        self._refresh_compilations(ready)

    def _refresh_queues(self) -> None:
        metrics, statistics = self._metrics, self._sources.queues()
        metrics.bytes_in_flight.set(statistics.bytes_in_flight)
        queues = {str(model): queue for model, queue in statistics.models.items()}
        self._queues |= queues.keys()
        for model in self._queues:
            queue = queues.get(model, _EMPTY)
            metrics.queued_requests.labels(model).set(queue.queued_requests)
            metrics.queued_rows.labels(model).set(queue.queued_rows)
            metrics.queued_bytes.labels(model).set(queue.queued_bytes)
            metrics.in_flight.labels(model).set(queue.in_flight)

    def _refresh_models(self, snapshot: Snapshot) -> None:
        metrics = self._metrics
        entries = {(entry.name, entry.version): entry for entry in snapshot}
        self._versions |= entries.keys()
        for model, number in self._versions:
            entry = entries.get((model, number))
            labels = (model, str(number))
            for state, word in _STATES.items():
                metrics.version_state.labels(*labels, word).set(entry is not None and entry.state == state)
            loaded = entry.model if entry is not None else None
            metrics.weights_bytes.labels(*labels).set(loaded.summary.packed_bytes if loaded is not None else 0)
        for model in {model for model, _ in self._versions}:
            default = snapshot.defaults.get(model)
            metrics.default_version.labels(model).set(default.version if default is not None else 0)

    def _refresh_compilations(self, ready: bool) -> None:
        compiled = self._sources.compilations()
        new = compiled - self._compiled
        self._metrics.compilations.inc(new)
        # What was compiled between the last look and the moment of being ready was compiled before it.
        self._metrics.late_compilations.inc(new if self._was_ready else 0)
        self._compiled = compiled
        self._was_ready = self._was_ready or ready
