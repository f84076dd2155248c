"""What a generator process is told, and what it tells: one JSON object a line each way."""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Literal, Self

Scenario = Literal["single", "closed", "open", "stream", "offline", "replay"]


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Where requests go. It has secrets in it, so it goes through a pipe and is never a command line.

    Attributes
    ----------
    server : str
        The address, or several.
    protocol : str
        As for `protocol_named`.
    library : str
        The folder of messages.
    connections : int
        How many each process opens.
    tls : dict of str to str, or bool or None
        The parts of `Tls`, files as their contents; or what clients take besides: None is what the environment says.
    token : str or None
        "": none. None: the environment's.
    """

    server: str
    protocol: str
    library: str
    connections: int
    tls: dict[str, str | None] | bool | None = None
    token: str | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """One process's part of a step.

    Attributes
    ----------
    scenario : str
        Which way requests are sent.
    start_s : float
        When it starts, on the monotonic clock, which all processes of a machine share.
    warmup_s, duration_s, count
        As in `Pacer`; the count is this process's.
    rate, arrivals, seed : float or None, str, int
        All processes' schedule together: "poisson", "uniform" or a .npy file of recorded times.
    speed : float
        How much faster than recorded.
    index, of : int
        Which of how many processes this is.
    callers : int
        Requests at once, or streams, of this process.
    window : int
        Messages in flight on each stream.
    timeout_s : float
        From the time when a request was to start.
    max_in_flight : int
        An open loop is given up when so many requests of this process wait for answers.
    """

    scenario: Scenario
    start_s: float
    warmup_s: float = 0.0
    duration_s: float | None = None
    count: int | None = None
    rate: float | None = None
    arrivals: str = "poisson"
    seed: int = 0
    speed: float = 1.0
    index: int = 0
    of: int = 1
    callers: int = 1
    window: int = 1
    timeout_s: float = 10.0
    max_in_flight: int = 10_000

    @property
    def end_s(self) -> float:
        """When the measurement ends, in seconds since the start."""
        return self.warmup_s + (math.inf if self.duration_s is None else self.duration_s)

    @property
    def has_schedule(self) -> bool:
        """Whether requests have a time to start at."""
        return self.scenario in ("open", "replay")


def encode(kind: str, value: Any) -> str:
    """Return a line that says something of a kind."""
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value
    return json.dumps({kind: plain}) + "\n"


def decode(line: str | bytes) -> tuple[str, Any]:
    """Return the kind and the value of a line."""
    [(kind, value)] = json.loads(line).items()
    return kind, value


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one process found in a step, beyond what its ticks told.

    Attributes
    ----------
    latency, service, lag, not_ok, refused : dict
        Histograms, as JSON.
    counts, texts : dict of str to int
        Outcomes, and errors as they were told.
    sent : int
        Requests that count.
    all_ok, all_answered, requests_in_time, rows_in_time, last_done_s, open_at_begin, open_at_end
        As in `Recorder`.
    cpu_s, cpu_of_s : float
        Processor time in how many seconds of the measurement.
    overrun : bool
        Whether the step was given up because too many requests waited.
    stopped_s : float or None
        When it was ended early, if it was.
    mismatches : list of dict
        The first wrong answers: message, detail, model, answer (base64), streamed.
    """

    latency: dict[str, Any]
    service: dict[str, Any]
    lag: dict[str, Any]
    not_ok: dict[str, Any]
    refused: dict[str, Any]
    counts: dict[str, int]
    texts: dict[str, int]
    sent: int
    all_ok: int
    all_answered: int
    requests_in_time: int
    rows_in_time: float
    last_done_s: float
    open_at_begin: int
    open_at_end: int
    cpu_s: float
    cpu_of_s: float
    overrun: bool
    stopped_s: float | None
    mismatches: list[dict[str, Any]]

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return what a line told."""
        return cls(**data)
