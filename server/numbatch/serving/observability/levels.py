"""What is read when somebody asks, not counted when it happens: queues, models, calls, whether the server is ready."""

import platform
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Protocol

from prometheus_client import Gauge

from numbatch.batching.queue import QueueStatistics
from numbatch.engine.resident import heap_bytes
from numbatch.kernels.compilations import compilations
from numbatch.kernels.target import TARGET
from numbatch.repository.snapshot import Snapshot
from numbatch.serving.observability.labels import VersionLabels
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


class _Series:
    """The series of a gauge, all set at once.

    One whose subject is gone becomes 0: series of worker processes cannot be removed.
    """

    def __init__(self, gauge: Gauge) -> None:
        self._gauge = gauge
        self._seen: set[tuple[str, ...]] = set()

    def set(self, values: Mapping[tuple[str, ...], float]) -> None:
        """Set the value of each series, by its labels."""
        self._seen |= values.keys()
        for labels in self._seen:
            self._gauge.labels(*labels).set(values.get(labels, 0))


class Levels:
    """Brings the gauges up to date.

    Parameters
    ----------
    metrics : Metrics
        Where the gauges are.
    sources : Sources
        What they are set to.
    labels : VersionLabels
        Which labels a model and a version get. Of those that share labels the sum is told.
    """

    def __init__(self, metrics: Metrics, sources: Sources, labels: VersionLabels) -> None:
        self._metrics = metrics
        self._sources = sources
        self._labels = labels
        self._queues = tuple(
            _Series(gauge)  # in the order of ModelStatistics
            for gauge in (metrics.queued_requests, metrics.queued_rows, metrics.queued_bytes, metrics.in_flight)
        )
        self._states = _Series(metrics.version_state)
        self._weights = _Series(metrics.weights_bytes)
        self._defaults = _Series(metrics.default_version)
        self._compiled = 0
        self._was_ready = False
        numbatch, grpcio, numba = map(version, ("numbatch", "grpcio", "numba"))
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
        self._refresh_queues(sources.queues())
        self._refresh_models(sources.snapshot())
        self._refresh_compilations(ready)

    def _refresh_queues(self, statistics: QueueStatistics) -> None:
        self._metrics.bytes_in_flight.set(statistics.bytes_in_flight)
        sums: list[Counter[tuple[str, ...]]] = [Counter() for _ in self._queues]
        for model, queue in statistics.models.items():
            labels = (self._labels.of_known_model(str(model)),)
            for of_all, count in zip(sums, queue, strict=True):
                of_all[labels] += count
        for series, values in zip(self._queues, sums, strict=True):
            series.set(values)

    def _refresh_models(self, snapshot: Snapshot) -> None:
        states, weights = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
        for entry in snapshot:
            labels = self._labels.of_known(entry.name, entry.version)
            for state, word in _STATES.items():
                states[*labels, word] += entry.state == state
            weights[labels] += entry.model.summary.packed_bytes if entry.model is not None else 0
        self._states.set(states)
        self._weights.set(weights)
        defaults: dict[tuple[str, ...], int] = {
            (model,): snapshot.defaults[model].version if model in snapshot.defaults else 0
            for model in snapshot.versions
            if self._labels.of_known_model(model) == model
        }
        self._defaults.set(defaults)

    def _refresh_compilations(self, ready: bool) -> None:
        compiled = self._sources.compilations()
        new = compiled - self._compiled
        self._metrics.compilations.inc(new)
        # What was compiled between the last look and the moment of being ready was compiled before it.
        self._metrics.late_compilations.inc(new if self._was_ready else 0)
        self._compiled = compiled
        self._was_ready = self._was_ready or ready
