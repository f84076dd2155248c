"""Two scrapes of a server -> what `numbatch top` shows of the time between them."""

from dataclasses import dataclass

from numbatch.cli.top_scrape import Labels, Scrape, increase, quantile, sum_by


@dataclass(frozen=True)
class Spread:
    """How observations are spread: the values that half of them and 99 of 100 stay under. None: there were none."""

    p50: float | None
    p99: float | None


@dataclass(frozen=True)
class ModelView:
    """One version of a model.

    Attributes
    ----------
    model, version : str
        As the labels say: "(unknown)" for what callers made up.
    state : str
        "ready", "loading", "failed", "unloaded"; "" if it is no version of the server.
    is_default : bool
        Whether it answers where no version is asked for.
    requests_per_s, failures_per_s, rows_per_s : float
        Requests, those of them that failed, and rows of the others.
    latency_s, queue_s : Spread
        From a request to its answer, and how much of it was waiting.
    batch_rows : float or None
        Rows in a batch on average, of all versions of the model.
    weights_bytes : int
        Packed weights in memory.
    """

    model: str
    version: str
    state: str
    is_default: bool
    requests_per_s: float
    failures_per_s: float
    rows_per_s: float
    latency_s: Spread
    queue_s: Spread
    batch_rows: float | None
    weights_bytes: int


@dataclass(frozen=True)
class View:
    """A server over a span of time.

    Attributes
    ----------
    server_version : str
        Of numbatch.
    ready : bool
        Whether it is.
    interval_s : float
        The span.
    requests_per_s, failures_per_s, rows_per_s : float
        Of all models.
    latency_s, queue_s, loop_lag_s : Spread
        From a request to its answer; how much of it was waiting; how late the event loop was.
    batch_rows, batch_requests : float or None
        In a batch on average.
    in_flight, queued, open_streams, connections : int
        Requests that wait or run, those of them that wait, streams, and connections.
    cpus : float
        Processors that were busy with it.
    memory_bytes : int
        Resident, of all its processes.
    failures : dict of str to float
        Failed requests a second, by reason.
    refusals : dict of str to float
        Refused requests a second, by the limit that was reached.
    models : tuple of ModelView
        The busiest first.
    """

    server_version: str
    ready: bool
    interval_s: float
    requests_per_s: float
    failures_per_s: float
    rows_per_s: float
    latency_s: Spread
    queue_s: Spread
    loop_lag_s: Spread
    batch_rows: float | None
    batch_requests: float | None
    in_flight: int
    queued: int
    open_streams: int
    connections: int
    cpus: float
    memory_bytes: int
    failures: dict[str, float]
    refusals: dict[str, float]
    models: tuple[ModelView, ...]


def view(before: Scrape, after: Scrape) -> View:
    """Compare two scrapes of one server."""
    between = _Between(before, after)
    seconds = between.seconds
    requests = increase(before, after, "numbatch_requests_total")
    by_reason = {reason: count / seconds for (reason,), count in sum_by(requests, "reason").items() if count}
    answered = by_reason.pop("OK", 0.0)
    failed = sum(by_reason.values())
    refused = sum_by(increase(before, after, "numbatch_refusals_total"), "limit")
    return View(
        server_version=next((dict(labels)["version"] for labels in after.series("numbatch_build_info")), ""),
        ready=after.total("numbatch_ready") > 0,
        interval_s=seconds,
        requests_per_s=answered + failed,
        failures_per_s=failed,
        rows_per_s=between.rate("numbatch_rows_total"),
        latency_s=between.spread("numbatch_request_duration_seconds"),
        queue_s=between.spread("numbatch_queue_duration_seconds"),
        loop_lag_s=between.spread("numbatch_event_loop_lag_seconds"),
        batch_rows=between.mean("numbatch_batch_rows"),
        batch_requests=between.mean("numbatch_batch_requests"),
        in_flight=int(after.total("numbatch_in_flight_requests")),
        queued=int(after.total("numbatch_queued_requests")),
        open_streams=int(after.total("numbatch_open_streams")),
        connections=int(after.total("numbatch_connections")),
        cpus=between.rate("process_cpu_seconds_total"),
        memory_bytes=int(after.total("process_resident_memory_bytes")),
        failures=_largest_first(by_reason),
        refusals=_largest_first({limit: count / seconds for (limit,), count in refused.items() if count}),
        models=tuple(sorted(between.models(), key=lambda each: (-each.requests_per_s, each.model, each.version))),
    )


class _Between:
    """What happened between two scrapes."""

    def __init__(self, before: Scrape, after: Scrape) -> None:
        self._before = before
        self._after = after
        self._by_version: dict[str, dict[tuple[str, str], dict[Labels, float]]] = {}
        self.seconds = max(after.at_s - before.at_s, 1e-9)

    def rate(self, name: str, **labels: str) -> float:
        """How much a counter grew in a second, over the series that have these labels."""
        return sum(self._increase(name, labels).values()) / self.seconds

    def spread(self, name: str, **labels: str) -> Spread:
        """Percentiles of a histogram."""
        counts = sum_by(self._increase(f"{name}_bucket", labels), "le")
        buckets = [(float(bound), count) for (bound,), count in counts.items()]
        return Spread(quantile(0.5, buckets), quantile(0.99, buckets))

    def mean(self, name: str, **labels: str) -> float | None:
        """Return the mean of what a histogram observed."""
        count = sum(self._increase(f"{name}_count", labels).values())
        return sum(self._increase(f"{name}_sum", labels).values()) / count if count else None

    def models(self) -> list[ModelView]:
        """Return the versions that the server has, and those that requests were for."""
        states = {
            (known["model"], known["version"]): known["state"]
            for known, value in _labelled(self._after, "numbatch_model_version_state")
            if value
        }
        asked_for = sum_by(self._increase("numbatch_requests_total", {}), "model", "version")
        keys = {*states, *((model, version) for (model, version), count in asked_for.items() if count)}
        return [self._model(*key, states.get(key, "")) for key in keys]

    def _model(self, model: str, version: str, state: str) -> ModelView:
        labels = {"model": model, "version": version}
        requests = self.rate("numbatch_requests_total", **labels)
        default = self._gauge("numbatch_model_default_version", model=model)
        return ModelView(
            model=model,
            version=version,
            state=state,
            is_default=bool(default) and version == f"{default:.0f}",
            requests_per_s=requests,
            failures_per_s=requests - self.rate("numbatch_requests_total", reason="OK", **labels),
            rows_per_s=self.rate("numbatch_rows_total", **labels),
            latency_s=self.spread("numbatch_request_duration_seconds", **labels),
            queue_s=self.spread("numbatch_queue_duration_seconds", **labels),
            batch_rows=self.mean("numbatch_batch_rows", model=model),
            weights_bytes=int(self._gauge("numbatch_model_weights_bytes", **labels) or 0),
        )

    def _gauge(self, name: str, **labels: str) -> float | None:
        return self._after.series(name).get(tuple(sorted(labels.items())))

    def _increase(self, name: str, wanted: dict[str, str]) -> dict[Labels, float]:
        """Return by how much each series grew that has these labels."""
        by_version = self._grown(name)
        if "model" in wanted:
            grown = by_version.get((wanted["model"], wanted.get("version", "")), {})
        else:
            grown = {labels: value for series in by_version.values() for labels, value in series.items()}
        return {labels: value for labels, value in grown.items() if wanted.items() <= dict(labels).items()}

    def _grown(self, name: str) -> dict[tuple[str, str], dict[Labels, float]]:
        """Return by how much each series grew, by model and version, or "": found once for all."""
        if name not in self._by_version:
            found: dict[tuple[str, str], dict[Labels, float]] = {}
            for labels, value in increase(self._before, self._after, name).items():
                known = dict(labels)
                found.setdefault((known.get("model", ""), known.get("version", "")), {})[labels] = value
            self._by_version[name] = found
        return self._by_version[name]


def _labelled(scrape: Scrape, name: str) -> list[tuple[dict[str, str], float]]:
    return [(dict(labels), value) for labels, value in scrape.series(name).items()]


def _largest_first(rates: dict[str, float]) -> dict[str, float]:
    return dict(sorted(rates.items(), key=lambda item: (-item[1], item[0])))
