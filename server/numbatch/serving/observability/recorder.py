"""Requests, batches and loads -> metrics. It runs for every request on the event loop, so it does little (`tally`)."""

from numbatch.repository.report import LoadReport
from numbatch.serving.observability.counts import OK, BatchCounts, VersionCounts
from numbatch.serving.observability.labels import VersionLabels
from numbatch.serving.observability.metrics import Metrics
from numbatch.serving.observer import BatchReport, Observer, RequestReport


class MetricsRecorder(Observer):
    """Counts what a server does.

    Parameters
    ----------
    metrics : Metrics
        To which `flush` hands what was counted.
    labels : VersionLabels
        Which labels a model and a version get.
    """

    def __init__(self, metrics: Metrics, labels: VersionLabels) -> None:
        self._metrics = metrics
        self._labels = labels
        # By what requests and batches name, as far as that has labels of its own: found without asking for these.
        self._versions: dict[tuple[str, int], VersionCounts] = {}
        self._models: dict[str, BatchCounts] = {}
        self._versions_by_labels: dict[tuple[str, str], VersionCounts] = {}
        self._models_by_label: dict[str, BatchCounts] = {}

    def on_request(self, report: RequestReport) -> None:
        """Count a request."""
        counts = self._versions.get((report.model, report.version))
        if counts is None:
            counts = self._version(report.model, report.version)
        counts.add(report)

    def on_batch(self, report: BatchReport) -> None:
        """Count a batch."""
        model = str(report.model)
        counts = self._models.get(model)
        if counts is None:
            counts = self._model(model)
        counts.add(report)

    def on_load(self, report: LoadReport) -> None:
        """Count a version that was loaded, or was not."""
        self._metrics.loads.labels(self._labels.of_model(report.model), report.reason or OK).inc()
        self._metrics.load_duration.observe(report.seconds)

    def flush(self) -> None:
        """Hand what was counted to the metrics."""
        for version in self._versions_by_labels.values():
            version.flush()
        for model in self._models_by_label.values():
            model.flush()

    def _version(self, model: str, version: int) -> VersionCounts:
        labels = self._labels.of(model, version)
        counts = self._versions_by_labels.get(labels)
        if counts is None:
            counts = self._versions_by_labels[labels] = VersionCounts(self._metrics, labels)
        if labels == (model, str(version)):
            self._versions[model, version] = counts
        return counts

    def _model(self, model: str) -> BatchCounts:
        label = self._labels.of_model(model)
        counts = self._models_by_label.get(label)
        if counts is None:
            counts = self._models_by_label[label] = BatchCounts(self._metrics, label)
        if label == model:
            self._models[model] = counts
        return counts
