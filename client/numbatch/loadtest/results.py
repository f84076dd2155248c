"""What a load test found, as dataclasses and as JSON: `schema` says by which names.

All times of requests are in microseconds and say so in their names. A reader ignores keys that it does not know, so
that a later version may add some without becoming another schema.
"""

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from numbatch.loadtest.measured import (
    PERCENTILES,
    Distribution,
    GeneratorLoad,
    Json,
    Outcomes,
    Point,
    ServerSide,
    Step,
)

__all__ = [
    "PERCENTILES",
    "SCHEMA",
    "Assertion",
    "Distribution",
    "Environment",
    "GeneratorLoad",
    "Mismatch",
    "Outcomes",
    "Point",
    "Results",
    "Search",
    "ServerInfo",
    "ServerSide",
    "Step",
    "Trial",
    "Verdict",
]

SCHEMA = "numbatch.loadtest/1"

Verdict = Literal["ok", "assertion", "mismatch", "generator_bound", "unstable", "interrupted"]


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
        "ok", or the first of "mismatch", "interrupted", "generator_bound", "unstable", "assertion" that applies.
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


_DISTRIBUTIONS = ("latency_us", "service_us", "send_lag_us", "not_ok_us", "refused_us")


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
