"""The metrics as text, as Prometheus reads it: of this process, or of all workers of a server."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

# Where the workers share what they count. prometheus_client reads it when it is imported: the supervisor sets it for
# the workers that it starts, empties the folder before, and calls `mark_process_dead` for a worker that ended.
SHARED_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

# Of a gauge that lives and dies with its process: every worker has one.
_LIVE_FILE = re.compile(r"gauge_livesum_(\d+)\.db")


def shared_folder() -> Path | None:
    """Return the folder that workers share, or None where there is one process."""
    folder = os.environ.get(SHARED_FOLDER_VARIABLE, "")
    return Path(folder) if folder else None


class Exposition:
    """Writes the metrics down.

    Parameters
    ----------
    registry : CollectorRegistry
        Those of this process.
    folder : Path or None
        What the workers share; None where there is one process.
    others : collectors
        What is the same whichever worker is asked.
    """

    def __init__(self, registry: CollectorRegistry, folder: Path | None, *others: Collector) -> None:
        self._collectors: list[Collector]
        if folder is None:
            self._collectors = [registry, ProcessCollector(registry=None), *others]
        else:
            self._collectors = [_Shared(folder), _Processes(folder), *others]

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics, without the times at which each series began: half as many lines, and nobody asks."""
        for collector in self._collectors:
            for metric in collector.collect():
                metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
                yield metric

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the text and its content type.

        Parameters
        ----------
        accept : str
            The header of a request; a Prometheus server asks for OpenMetrics.
        """
        encode, content_type = choose_encoder(accept)
        return encode(self), content_type


class _Shared(Collector):
    """What all workers have counted."""

    def __init__(self, folder: Path) -> None:
        self._collector = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        return self._collector.collect()  # type: ignore[no-any-return, no-untyped-call]


class _Processes(Collector):
    """The processors' time, the memory and the files of every worker that lives, by the label `pid`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for file in self._folder.iterdir():
            match = _LIVE_FILE.fullmatch(file.name)
            if match is not None:
                self._add(merged, match[1])
        return merged.values()

    def _add(self, merged: dict[str, Metric], pid: str) -> None:
        for metric in ProcessCollector(pid=lambda: pid, registry=None).collect():
            into = merged.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
            for sample in metric.samples:
                into.add_sample(sample.name, {**sample.labels, "pid": pid}, sample.value)
