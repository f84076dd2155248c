"""What a load test is to do, checked before anything starts."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from numbatch.loadtest.errors import WorkloadError
from numbatch.loadtest.objective import Condition
from numbatch.loadtest.orders import Scenario
from numbatch.loadtest.protocols import protocol_named
from numbatch.wire.tensors import Array

_SCENARIOS: tuple[Scenario, ...] = get_args(Scenario)


@dataclass(frozen=True)
class Asked:
    """A model of a mix: its name, version (0: the newest) and weight."""

    name: str
    version: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What a load test is to do.

    Attributes
    ----------
    model : str or mapping of str to float
        NAME or NAME/VERSION; or several with their weights, "digits=3,tiny=1" or {"digits": 3, "tiny": 1}.
    scenario : str, optional
        How requests are sent:

        - "single": one after the other;
        - "closed": by `concurrency` callers, each of which waits for its answer before it asks again;
        - "open": at `rates`, whatever comes back;
        - "stream": on `concurrency` streams, each with `window` messages in flight;
        - "offline": all of `data` once, as fast as possible, on streams;
        - "replay": when `schedule` says.

        Default: "replay" with a schedule, "open" with rates or `find_max`, "closed" with a concurrency, else "single".
    rates : sequence of float
        Requests a second, one step for each.
    concurrency : sequence of int
        Callers or streams, one step for each.
    window : int
        Messages in flight on each stream.
    rows_per_message : int
        Rows in each request.
    duration_s : float, optional
        How long each step is measured. None: until `count` requests were sent.
    count : int, optional
        How many requests of each step are measured at most.
    warmup_s : float
        How long requests are sent before that, which are not counted.
    arrivals : str
        "poisson" or "uniform": how the requests of an open loop are spread.
    seed : int
        Of arrivals and data: the same seed, the same load.
    data : path or mapping of str to array_like, optional
        The rows: a .npy, .npz, .csv or .parquet file, or an array for each input. Default: drawn at random.
    messages : int
        How many different messages are drawn.
    vocabulary : int
        Row numbers for lookup tables are drawn below this.
    verify : bool
        Compare every answer, bit by bit, with `expect`, or else with that to the same message asked alone before.
    expect : path or mapping of str to array_like, optional
        The right outputs for `data`: a .npz file, or an array for each output.
    tolerance : float
        By how much numbers may differ from those that are right, as a share of the largest of these in the message: for
        servers whose answers depend on what they compute at the same time. 0: by no bit.
    schedule : path or array_like, optional
        The times in seconds, in any order, at which requests came once: a .npy, or a text file with one on each line.
    speed : float
        How much faster than recorded a schedule is replayed.
    processes : int, optional
        Generator processes. Default: one for each two processors, at most 4.
    connections : int
        How many each of them opens.
    timeout_s : float
        How long each request may take, from the time when it was to start.
    max_in_flight : int
        An open loop is given up when so many requests wait for answers.
    repeats : int
        How often each step is run.
    assertions : sequence of str
        Conditions that must hold in every step: "p99<10ms", "errors==0", "rows_per_s>50000".
    find_max : bool
        Search for the highest rate at which `objective` holds.
    objective : sequence of str
        Conditions, as in `assertions`. If none is about errors, "errors<0.1%" is another.
    start_rate : float
        Where the search starts.
    precision : float
        It ends when the rate that holds and the one that does not are so near, as a share.
    metrics : str, optional
        HOST:PORT of the server's /metrics; "": they are not read. Default: port 8002 of the server's host.
    metrics_each_second : bool
        Read them in each second of a step too, for the size of batches second by second. It costs the server some
        milliseconds each time, which the latencies show.
    mismatch_folder : path
        Where wrong answers are saved.
    protocol : str
        What the server speaks: "native", "oip" (the Open Inference Protocol), or MODULE:NAME for an object with the
        members of `numbatch.loadtest.protocol.Protocol`.
    """

    model: str | Mapping[str, float]
    scenario: Scenario | None = None
    rates: Sequence[float] = ()
    concurrency: Sequence[int] = ()
    window: int = 8
    rows_per_message: int = 1
    duration_s: float | None = 10.0
    count: int | None = None
    warmup_s: float = 1.0
    arrivals: str = "poisson"
    seed: int = 0
    data: str | Path | Mapping[str, Any] | None = None
    messages: int = 256
    vocabulary: int = 1
    verify: bool = True
    expect: str | Path | Mapping[str, Any] | None = None
    tolerance: float = 0.0
    schedule: str | Path | Sequence[float] | Array | None = None
    speed: float = 1.0
    processes: int | None = None
    connections: int = 1
    timeout_s: float = 10.0
    max_in_flight: int = 10_000
    repeats: int = 1
    assertions: Sequence[str] = ()
    find_max: bool = False
    objective: Sequence[str] = ()
    start_rate: float = 100.0
    precision: float = 0.05
    metrics: str | None = None
    metrics_each_second: bool = False
    mismatch_folder: str | Path = "."
    protocol: str = "native"

    asked: tuple[Asked, ...] = field(init=False, repr=False)
    conditions: tuple[Condition, ...] = field(init=False, repr=False)
    goals: tuple[Condition, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "asked", _mix(self.model))
            object.__setattr__(self, "conditions", tuple(map(Condition.parse, self.assertions)))
            object.__setattr__(self, "goals", _goals(self.objective))
            protocol_named(self.protocol)
        except ValueError as wrong:
            raise WorkloadError(str(wrong)) from None
        if self.scenario is None:
            object.__setattr__(self, "scenario", self._implied_scenario())
        for problem, is_wrong in self._problems().items():
            if is_wrong:
                raise WorkloadError(problem)

    def _implied_scenario(self) -> Scenario:
        if self.schedule is not None:
            return "replay"
        if self.rates or self.find_max:
            return "open"
        return "closed" if self.concurrency else "single"

    def _problems(self) -> dict[str, bool]:
        scenario = self.scenario
        positive = {
            name: getattr(self, name) is not None and not getattr(self, name) > 0
            for name in (
                *("window", "rows_per_message", "duration_s", "count", "messages", "vocabulary", "speed", "processes"),
                *("connections", "timeout_s", "max_in_flight", "repeats", "start_rate", "precision"),
            )
        }
        return {
            f"scenario: got {scenario!r}, expected one of {', '.join(_SCENARIOS)}": scenario not in _SCENARIOS,
            f"arrivals: got {self.arrivals!r}, expected poisson or uniform": self.arrivals
            not in ("poisson", "uniform"),
            **{f"{name}: got {getattr(self, name)}, expected more than 0": wrong for name, wrong in positive.items()},
            f"warmup_s: got {self.warmup_s}, expected 0 or more": not self.warmup_s >= 0,
            f"tolerance: got {self.tolerance}, expected 0 to 1": not 0 <= self.tolerance <= 1,
            "an open loop needs a rate": scenario == "open" and not (self.rates or self.find_max),
            "rates are for an open loop": scenario != "open" and bool(self.rates),
            "a search finds the rates itself": self.find_max and bool(self.rates),
            "a search is for an open loop": self.find_max and scenario != "open",
            "a search needs an objective": self.find_max and not self.objective,
            "an objective is for a search": not self.find_max and bool(self.objective),
            "rates: expected numbers of more than 0": not all(rate > 0 for rate in self.rates),
            "concurrency: expected numbers of more than 0": not all(n > 0 for n in self.concurrency),
            "concurrency is for closed loops and streams": scenario in ("single", "open", "replay")
            and bool(self.concurrency),
            "a replay needs a schedule": scenario == "replay" and self.schedule is None,
            "a schedule is for a replay": scenario != "replay" and self.schedule is not None,
            "offline: expected data to work through": scenario == "offline" and self.data is None,
            "duration_s or count: give one": self.duration_s is None
            and self.count is None
            and scenario not in ("offline", "replay"),
            "data: of several models only generated rows can be sent": len(self.asked) > 1 and self.data is not None,
            "expect: needs the data that it is about": self.expect is not None and self.data is None,
            "expect: answers are not verified": self.expect is not None and not self.verify,
        }

    @property
    def streamed(self) -> bool:
        """Whether requests go over streams."""
        return self.scenario in ("stream", "offline")

    @property
    def number_of_processes(self) -> int:
        """How many generator processes run at most."""
        return self.processes or max(1, min(4, (os.cpu_count() or 1) // 2))

    @property
    def model_text(self) -> str:
        """The models as on a command line."""
        if isinstance(self.model, str):
            return self.model
        return ",".join(f"{name}={weight:g}" for name, weight in self.model.items())

    def settings(self) -> dict[str, Any]:
        """Return what JSON takes of it: arrays are left out."""
        names = [name for name in self.__dataclass_fields__ if name not in ("asked", "conditions", "goals")]
        return {name: _plain(getattr(self, name)) for name in names}


def _mix(model: str | Mapping[str, float]) -> tuple[Asked, ...]:
    if isinstance(model, str):
        parts = [part.partition("=") for part in model.split(",")]
        try:
            weights = {name: float(weight) if sign else 1.0 for name, sign, weight in parts}
        except ValueError:
            raise ValueError(f"model: got {model!r}, expected NAME, or several as in digits=3,tiny=1") from None
        if len(weights) < len(parts):
            raise ValueError(f"model: got {model!r}, where a model comes twice")
    else:
        weights = dict(model)
    asked = []
    for text, weight in weights.items():
        name, slash, version = text.partition("/")
        if not name or (slash and not (version.isdecimal() and int(version) > 0)) or not 0 < weight < float("inf"):
            raise ValueError(f"model: got {text!r}, expected NAME or NAME/VERSION, and weights of more than 0")
        asked.append(Asked(name, int(version or 0), weight))
    if not asked:
        raise ValueError("model: got none")
    return tuple(asked)


def _goals(objective: Sequence[str]) -> tuple[Condition, ...]:
    goals = [Condition.parse(text) for text in objective]
    if goals and not any(goal.about_errors for goal in goals):
        # Fast because it refuses is no way to hold an objective.
        goals.append(Condition.parse("errors<0.1%"))
    return tuple(goals)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {name: one if isinstance(one, (int, float, str)) else "(array)" for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return list(value)
    return value if isinstance(value, (int, float, str)) or value is None else "(array)"
