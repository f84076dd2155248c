"""What models have done since the server started, as the protocol tells it; whatever protocol asked for it."""

import time
from collections.abc import Callable, Iterable

from numbatch.repository.snapshot import Entry, Snapshot
from numbatch.serving.observer import BatchReport, Observer, RequestReport
from numbatch.serving.oip.description import Document

# Of one version; a model whose batches may be larger has the rest of their sizes left out.
_MOST_SIZES = 1024

# Versions that the server does not know any more are forgotten once there are so many.
_MANY_VERSIONS = 1024

Key = tuple[str, int]


class _Duration:
    """A number of events and the seconds that they took."""

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        self.count += 1
        self.seconds += seconds

    def document(self) -> Document:
        return {"count": self.count, "ns": round(self.seconds * 1e9)}


class _Version:
    """What one version has done."""

    __slots__ = ("batches", "compute", "executions", "fail", "last_ns", "output", "queue", "rows", "success")

    def __init__(self) -> None:
        self.success = _Duration()
        self.fail = _Duration()
        self.queue = _Duration()
        self.compute = _Duration()
        self.output = _Duration()
        self.rows = 0
        self.last_ns = 0
        self.executions = 0
        self.batches: dict[int, _Duration] = {}

    def document(self, entry: Entry) -> Document:
        """Return what is told of a version; what it has not got, it has zeros for."""
        none = {"count": 0, "ns": 0}
        computed = self.compute.document()
        batches = [
            {
                "batch_size": rows,
                "compute_input": {"count": batch.count, "ns": 0},
                "compute_infer": batch.document(),
                "compute_output": {"count": batch.count, "ns": 0},
            }
            for rows, batch in sorted(self.batches.items())
        ]
        return {
            "name": entry.name,
            "version": str(entry.version),
            "last_inference": self.last_ns // 1_000_000,
            "inference_count": self.rows,
            "execution_count": self.executions,
            "inference_stats": {
                "success": self.success.document(),
                "fail": self.fail.document(),
                "queue": self.queue.document(),
                "compute_input": {**computed, "ns": 0},
                "compute_infer": computed,
                "compute_output": self.output.document(),
                "cache_hit": none,
                "cache_miss": none,
            },
            "batch_stats": batches,
            "memory_usage": [{"type": "CPU", "id": 0, "byte_size": entry.held_bytes}],
            "response_stats": {},
        }


class Statistics(Observer):
    """Counts what models do. It belongs to the thread of the event loop.

    Parameters
    ----------
    snapshot : callable
        Returns the models that there are now.
    wall_clock_ns : callable
        Returns the nanoseconds since 1970.
    """

    def __init__(self, snapshot: Callable[[], Snapshot], *, wall_clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._snapshot = snapshot
        self._wall_clock_ns = wall_clock_ns
        self._versions: dict[Key, _Version] = {}

    def on_request(self, report: RequestReport) -> None:
        """Count a request."""
        version = self._versions.get((report.model, report.version)) or self._new(report.model, report.version)
        if version is None:
            return
        version.last_ns = self._wall_clock_ns()
        if report.reason:
            version.fail.add(report.seconds)
            return
        version.success.add(report.seconds)
        version.rows += report.rows
        version.queue.add(report.queue_s)
        version.compute.add(report.compute_s)
        version.output.add(max(0.0, report.seconds - report.queue_s - report.compute_s))

    def on_batch(self, report: BatchReport) -> None:
        """Count a batch."""
        model = str(report.model)
        version = self._versions.get((model, report.version)) or self._new(model, report.version)
        if version is None or report.failed:
            return
        version.executions += 1
        batch = version.batches.get(report.rows)
        if batch is None:
            if len(version.batches) >= _MOST_SIZES:
                return
            batch = version.batches[report.rows] = _Duration()
        batch.add(report.compute_s)

    def of(self, entries: Iterable[Entry]) -> list[Document]:
        """Return what is told of versions."""
        return [(self._versions.get((entry.name, entry.version)) or _Version()).document(entry) for entry in entries]

    def _new(self, model: str, number: int) -> _Version | None:
        """Return where a version is counted; None for one that the server does not know: callers make names up."""
        known = self._snapshot().versions
        if number not in known.get(model, ()):
            return None
        if len(self._versions) >= _MANY_VERSIONS:
            gone = [key for key in self._versions if key[1] not in known.get(key[0], ())]
            for key in gone:
                del self._versions[key]
        version = self._versions[model, number] = _Version()
        return version
