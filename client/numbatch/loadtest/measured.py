"""What was measured in one step, as dataclasses: part of `numbatch.loadtest.results`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

# The percentiles of every distribution, by the names that JSON, assertions and reports use.
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999}

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """How some times are spread, in microseconds. Of none, all numbers are 0.

    Attributes
    ----------
    count : int
        How many there are.
    mean, min, max : float
        Exact.
    percentiles : dict of str to float
        By the names of `PERCENTILES`; each at most 0.5 % off.
    """

    count: int = 0
    mean: float = 0.0
    min: float = 0.0
    max: float = 0.0
    percentiles: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(PERCENTILES, 0.0))

    def to_json(self) -> Json:
        """Return the percentiles beside the other numbers."""
        return {"count": self.count, "mean": self.mean, "min": self.min, "max": self.max, **self.percentiles}

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Return what `to_json` wrote."""
        percentiles = {name: data[name] for name in PERCENTILES if name in data}
        return cls(count=data["count"], mean=data["mean"], min=data["min"], max=data["max"], percentiles=percentiles)


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What became of the requests of a step.

    Attributes
    ----------
    ok : int
        Answered, and the answer was right as far as answers are verified.
    refused : int
        The server had too much to do (RESOURCE_EXHAUSTED).
    deadline : int
        No answer in time.
    unavailable : int
        No server.
    mismatch : int
        Answered, with other bits than expected.
    failed : int
        Any other error.
    """

    ok: int = 0
    refused: int = 0
    deadline: int = 0
    unavailable: int = 0
    mismatch: int = 0
    failed: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return self.ok + self.errors

    @property
    def errors(self) -> int:
        """All that are not ok."""
        return self.refused + self.deadline + self.unavailable + self.mismatch + self.failed


@dataclass(frozen=True, kw_only=True)
class Point:
    """One second of a step.

    Attributes
    ----------
    t_s : float
        When it began, in seconds since the warm-up.
    sent : int
        Requests that were to start in it.
    ok, errors : int
        Answers that came in it.
    p50_us, p99_us, max_us : float
        The latency of those that were ok; 0 if there were none.
    batch_rows : float or None
        How many rows the server computed at once on average, where its metrics were read.
    """

    t_s: float
    sent: int
    ok: int
    errors: int
    p50_us: float
    p99_us: float
    max_us: float
    batch_rows: float | None = None


@dataclass(frozen=True, kw_only=True)
class GeneratorLoad:
    """How hard the load generator itself had to work.

    Attributes
    ----------
    processes : int
        Generator processes of this step.
    cpu_share : list of float
        Of each, how much of a processor it took, 1.0 being one.
    us_per_request : float
        Processor time of a request.
    bound : bool
        Whether the generator was, or may have been, the bottleneck: then the step says little about the server.
    reason : str
        Why it is held to be; else empty.
    """

    processes: int
    cpu_share: list[float]
    us_per_request: float
    bound: bool = False
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ServerSide:
    """Where the time went on the server, by its metrics: means over the step.

    Attributes
    ----------
    queue_us : float
        Waiting for a batch.
    compute_us : float
        In a batch.
    overhead_us : float
        The rest of the service time that the generator saw: network, gRPC, encoding, on both sides.
    batch_rows : float or None
        Rows in a batch.
    """

    queue_us: float
    compute_us: float
    overhead_us: float
    batch_rows: float | None = None


@dataclass(frozen=True, kw_only=True)
class Step:
    """One run at one load.

    Attributes
    ----------
    name : str
        Such as "500/s" or "concurrency 8".
    scenario : str
        "single", "closed", "open", "stream", "offline" or "replay".
    rate : float or None
        Requests a second that were to be sent; None where answers set the pace.
    concurrency, window : int or None
        Requests (or streams) at once, and messages in flight on each stream.
    rows_per_message : int
        Rows in each request.
    repeat : int
        Which repeat this is, from 0.
    warmup_s, duration_s : float
        How long requests were sent without being counted, and how long they were counted.
    sent : int
        Requests that were to start in `duration_s`, all of which were waited for: the sum of the outcomes.
    outcomes : Outcomes
        What became of them.
    requests_per_s, rows_per_s : float
        Right answers that arrived within `duration_s`, by that time.
    latency_us : Distribution
        Of those that are ok: from the time when each was to start until its answer.
    service_us : Distribution
        The same from the time when it was really sent.
    send_lag_us : Distribution
        How much later than planned it was sent; nothing where answers set the pace.
    not_ok_us : Distribution
        The latency of all others.
    refused_us : Distribution
        That of those among them that the server refused.
    histogram : list of (float, int)
        Of `latency_us`: how many are at most the first number, and more than that of the pair before.
    series : list of Point
        Second by second.
    generator : GeneratorLoad
        Whether the figures are the server's.
    server_side : ServerSide or None
        Where the time went, where the server's metrics could be read.
    backlog : int
        Requests more without an answer at the end of `duration_s` than at its beginning.
    unstable : str
        Why the step has no steady state: the load is more than what is answered. Else empty.
    errors : dict of str to int
        The texts of errors and how often each came.
    """

    name: str
    scenario: str
    rate: float | None
    concurrency: int | None
    window: int | None
    rows_per_message: int
    repeat: int
    warmup_s: float
    duration_s: float
    sent: int
    outcomes: Outcomes
    requests_per_s: float
    rows_per_s: float
    latency_us: Distribution
    service_us: Distribution
    send_lag_us: Distribution
    histogram: list[tuple[float, int]]
    series: list[Point]
    generator: GeneratorLoad
    server_side: ServerSide | None = None
    not_ok_us: Distribution = field(default_factory=Distribution)
    refused_us: Distribution = field(default_factory=Distribution)
    backlog: int = 0
    unstable: str = ""
    errors: dict[str, int] = field(default_factory=dict)
