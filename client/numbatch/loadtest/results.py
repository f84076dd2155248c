"""What a load test found, as dataclasses and as JSON: `schema` says by which names.

All times of requests are in microseconds and say so in their names. A reader ignores keys that it does not know, so
that a later version may add some without becoming another schema.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

SCHEMA = "numbatch.loadtest/1"

# The percentiles of every distribution, by the names that JSON, assertions and reports use.
PERCENTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999, "p99.99": 0.9999}

Verdict = Literal["ok", "assertion", "mismatch", "generator_bound", "unstable"]
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
    backlog: int = 0
    unstable: str = ""
    errors: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One rate that a search tried.

    Attributes
    ----------
    rate : float
        Requests a second.
    held : bool
        Whether the objective held.
    value : float or None
        What the objective is about, at that rate, in its own unit (times in microseconds); None: nothing was answered.
    phase : str
        "ramp", "bisect" or "confirm".
    """

    rate: float
    held: bool
    value: float | None
    phase: str = ""


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search for the highest rate that holds an objective.

    Attributes
    ----------
    objective : str
        Such as "p99<10ms".
    max_rate : float
        The highest rate that held, in every confirming run; 0: none did.
    trials : list of Trial
        In the order in which they ran.
    """

    objective: str
    max_rate: float
    trials: list[Trial]


@dataclass(frozen=True, kw_only=True)
class Assertion:
    """One condition of the run.

    Attributes
    ----------
    text : str
        As it was given.
    value : float or None
        The worst value of all steps (times in microseconds, shares from 0 to 1). None: there was nothing to judge by,
        which is failing.
    passed : bool
        Whether it held in all steps.
    """

    text: str
    value: float | None
    passed: bool


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """One wrong answer.

    Attributes
    ----------
    model : str
        Which model answered, as NAME/VERSION.
    message : int
        The number of the message among those prepared.
    detail : str
        What is wrong with it.
    file : str
        Where inputs, expected and received outputs are; empty where they were not saved, there being many.
    """

    model: str
    message: int
    detail: str
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Where the generator ran."""

    python: str
    platform: str
    cpu: str
    cores: int
    versions: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class ServerInfo:
    """What was asked.

    Attributes
    ----------
    address : str
        As given.
    model : str
        The model, or the mix: "digits=3,tiny=1".
    version : int or None
        The version that answered the first request; None for a mix.
    instruction_set, weights_precision : str
        As the server says; empty if it does not.
    numbatch : str
        The version of the server; empty if its metrics could not be read.
    workers : int or None
        How many processes answer, by its metrics.
    """

    address: str
    model: str
    version: int | None = None
    instruction_set: str = ""
    weights_precision: str = ""
    numbatch: str = ""
    workers: int | None = None


@dataclass(frozen=True, kw_only=True)
class Results:
    """A whole load test.

    Attributes
    ----------
    started : str
        When, in ISO 8601 with the offset from UTC.
    command : list of str
        The command line; empty if it was called from Python.
    settings : dict
        The workload.
    environment, server : Environment, ServerInfo
        Who asked, and whom.
    repeats : int
        How often each step was run.
    steps : list of Step
        In the order in which they ran; those of a search among them.
    search, assertions, mismatches : Search or None, list of Assertion, list of Mismatch
        As far as asked for, or found.
    verdict : str
        "ok", or the first of "mismatch", "generator_bound", "unstable", "assertion" that applies.
    reason : str
        Why, unless it is "ok".
    """

    started: str
    command: list[str]
    settings: Json
    environment: Environment
    server: ServerInfo
    repeats: int
    steps: list[Step]
    search: Search | None = None
    assertions: list[Assertion] = field(default_factory=list)
    mismatches: list[Mismatch] = field(default_factory=list)
    verdict: Verdict = "ok"
    reason: str = ""

    def to_json(self) -> Json:
        """Return what JSON takes."""
        return {"schema": SCHEMA, **_plain(self)}

    @classmethod
    def from_json(cls, data: Json) -> Self:
        """Return what `to_json` returned.

        Raises
        ------
        ValueError
            It is something else.
        """
        if data.get("schema") != SCHEMA:
            raise ValueError(f"not the results of a load test: got schema {data.get('schema')!r}, expected {SCHEMA!r}")
        try:
            return cls(
                **_known(
                    cls,
                    data,
                    environment=_read(Environment, data["environment"]),
                    server=_read(ServerInfo, data["server"]),
                    steps=[_step(step) for step in data["steps"]],
                    search=None if data.get("search") is None else _search(data["search"]),
                    assertions=[_read(Assertion, one) for one in data.get("assertions", ())],
                    mismatches=[_read(Mismatch, one) for one in data.get("mismatches", ())],
                )
            )
        except (KeyError, TypeError, AttributeError) as wrong:
            raise ValueError(f"not the results of a load test: {wrong}") from wrong

    def save(self, path: str | Path) -> None:
        """Write the JSON form to a file."""
        Path(path).write_text(json.dumps(self.to_json(), allow_nan=False) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, or raise OSError or ValueError."""
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as wrong:
            raise ValueError(f"{path}: not JSON: {wrong}") from wrong
        if not isinstance(data, dict):
            raise ValueError(f"{path}: not the results of a load test")
        try:
            return cls.from_json(data)
        except ValueError as wrong:
            raise ValueError(f"{path}: {wrong}") from wrong


_DISTRIBUTIONS = ("latency_us", "service_us", "send_lag_us", "not_ok_us")


def _plain(value: Any) -> Any:
    if isinstance(value, Distribution):
        return value.to_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {one.name: _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value


def _known(cls: type, data: Json, **read: Any) -> Json:
    names = {one.name for one in dataclasses.fields(cls)}
    return {name: value for name, value in data.items() if name in names} | read


def _read(cls: type, data: Json) -> Any:
    return cls(**_known(cls, data))


def _step(data: Json) -> Step:
    side = data.get("server_side")
    distributions = {name: Distribution.from_json(data[name]) for name in _DISTRIBUTIONS if name in data}
    return Step(
        **_known(
            Step,
            data,
            outcomes=_read(Outcomes, data["outcomes"]),
            histogram=[(upper, count) for upper, count in data["histogram"]],
            series=[_read(Point, one) for one in data["series"]],
            generator=_read(GeneratorLoad, data["generator"]),
            server_side=None if side is None else _read(ServerSide, side),
            **distributions,
        )
    )


def _search(data: Json) -> Search:
    return Search(**_known(Search, data, trials=[_read(Trial, one) for one in data["trials"]]))
