"""Where the time went on the server: what its /metrics say before and after a step.

Reading them costs the server's event loop some milliseconds, which its callers wait for: they are read before and after
a step, and during it only for who asks for that.
"""

import http.client
import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from numbatch.loadtest.results import ServerSide

_SAMPLE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: \S+)?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TIMEOUT_S = 2.0

# Every numbatch server says it.
_MARK = "numbatch_build_info"
# So much more may the server have answered than was asked: other callers would be in the figures.
_MOST_OTHERS = 1.05

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metrics:
    """The samples of one moment, by name and labels."""

    samples: Mapping[tuple[str, Labels], float]

    def total(self, name: str, **labels: str | Sequence[str]) -> float:
        """Return the sum over all samples of a name, of those with one of the values of each label."""
        return sum(value for (found, has), value in self.samples.items() if found == name and _matches(has, labels))

    def label(self, name: str, label: str) -> str:
        """Return a label of the first sample of a name, or ""."""
        return next((dict(has).get(label, "") for found, has in self.samples if found == name), "")


def parse(text: str) -> Metrics:
    """Read Prometheus' text format; ValueError if it is not that, or not of a numbatch server."""
    samples: dict[tuple[str, Labels], float] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        sample = _SAMPLE.fullmatch(line)
        if sample is None:
            raise ValueError(f"not a metric: {line!r}")
        samples[sample["name"], tuple(_LABEL.findall(sample["labels"] or ""))] = float(sample["value"])
    if not any(name == _MARK for name, _ in samples):
        raise ValueError(f"there is no {_MARK} in it")
    return Metrics(samples)


def fetch(address: str) -> Metrics | None:
    """Ask a server at HOST:PORT; None if none answers there, or it is none of numbatch's."""
    host, _, port = address.rpartition(":")
    try:
        with closing(http.client.HTTPConnection(host.strip("[]"), int(port), timeout=_TIMEOUT_S)) as connection:
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            body = response.read()
        return parse(body.decode()) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None


def is_ours(before: Metrics, after: Metrics, models: Sequence[str], ok: int, answered: int) -> bool:
    """Return whether these are the metrics of the server that was asked, and of nobody else's requests.

    Parameters
    ----------
    before, after : Metrics
        Of a time in which nothing else was asked by us.
    models : sequence of str
        The models that were.
    ok, answered : int
        Requests that were answered rightly, and those that were answered at all.
    """
    requests = after.total("numbatch_requests_total", model=models) - before.total(
        "numbatch_requests_total", model=models
    )
    return ok <= requests <= answered * _MOST_OTHERS + 1


def mean_between(before: Metrics, after: Metrics, models: Sequence[str], name: str) -> float | None:
    """Return the mean of what was observed between two moments; None: nothing was."""
    total, count = (
        after.total(f"numbatch_{name}_{part}", model=models) - before.total(f"numbatch_{name}_{part}", model=models)
        for part in ("sum", "count")
    )
    return total / count if count else None


class BatchRows:
    """How large the server's batches are, second by second.

    Parameters
    ----------
    metrics : callable
        Reads the metrics.
    models : sequence of str
        Those that are asked.

    Attributes
    ----------
    by_second : dict of int to float
        The mean rows of a batch in each second that is over, but for those in which nothing was computed.
    """

    def __init__(self, metrics: Callable[[], Metrics | None], models: Sequence[str]) -> None:
        self._metrics, self._models = metrics, models
        self._second = -1
        self._before: Metrics | None = None
        self.by_second: dict[int, float] = {}

    def look(self, measured_s: float) -> None:
        """Read the metrics if a second has begun since, of those that are measured."""
        second = math.floor(measured_s)
        if second <= self._second:
            return
        now = self._metrics()
        if self._before is not None and now is not None and second == self._second + 1:
            rows = mean_between(self._before, now, self._models, "batch_rows")
            if rows is not None:
                self.by_second[self._second] = rows
        self._second, self._before = second, now


def server_side(before: Metrics, after: Metrics, models: Sequence[str], service_us: float) -> ServerSide | None:
    """Return where the time went between two moments; None: nothing was computed.

    Parameters
    ----------
    before, after : Metrics
        Of the moments.
    models : sequence of str
        Those that were asked.
    service_us : float
        How long requests took on average as the caller saw it.
    """
    names = ("queue_duration_seconds", "batch_duration_seconds", "batch_rows")
    queue_s, batch_s, batch_rows = (mean_between(before, after, models, name) for name in names)
    if queue_s is None or batch_s is None:
        return None
    return ServerSide(
        queue_us=queue_s * 1e6,
        compute_us=batch_s * 1e6,
        overhead_us=max(service_us - (queue_s + batch_s) * 1e6, 0.0),
        batch_rows=batch_rows,
    )


def _matches(has: Labels, wanted: Mapping[str, str | Sequence[str]]) -> bool:
    known = dict(has)
    return all(known.get(name, "") in ([value] if isinstance(value, str) else value) for name, value in wanted.items())
