"""The steps of a workload, and each process's part of one. Pure."""

from dataclasses import dataclass
from pathlib import Path

from numbatch.loadtest.orders import Order
from numbatch.loadtest.workload import Workload

# What is late at the start would be late by its start alone.
LEAD_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Load:
    """One step, as planned.

    Attributes
    ----------
    name : str
        For people.
    rate, concurrency, window : float, int, int, or None
        As far as the scenario has them.
    repeat : int
        Which repeat.
    warmup_s, duration_s, count
        As in `Pacer`.
    """

    name: str
    rate: float | None = None
    concurrency: int | None = None
    window: int | None = None
    repeat: int = 0
    warmup_s: float = 0.0
    duration_s: float | None = None
    count: int | None = None

    @property
    def longest_s(self) -> float | None:
        """How long it takes at most, without what it waits for at the end; None: as long as its requests take."""
        return None if self.duration_s is None else self.warmup_s + self.duration_s


def loads(workload: Workload, messages: int) -> list[Load]:
    """Return the steps of a workload that is no search, in order; repeats follow each other.

    Parameters
    ----------
    workload : Workload
        What is wanted.
    messages : int
        How many were prepared.
    """
    once = [_timed(load, workload, messages) for load in _untimed(workload)]
    return [_repeated(load, i) for load in once for i in range(workload.repeats)]


def trial(workload: Workload, rate: float, at_least: int) -> Load:
    """Return a step of a search: long enough for so many requests."""
    duration_s = max(workload.duration_s or 0.0, at_least / rate)
    return Load(name=f"{rate:,.0f}/s", rate=rate, warmup_s=workload.warmup_s, duration_s=duration_s)


def _untimed(workload: Workload) -> list[Load]:
    scenario, concurrency, window = workload.scenario, workload.concurrency, workload.window
    if scenario == "open":
        return [Load(name=f"{rate:,g}/s", rate=rate) for rate in workload.rates]
    if scenario == "closed":
        return [Load(name=f"concurrency {n}", concurrency=n) for n in concurrency or (1,)]
    if scenario in ("stream", "offline"):
        default = (workload.number_of_processes,) if scenario == "offline" else (1,)
        texts = {n: f"{n} stream{'s' if n > 1 else ''} of {window}" for n in concurrency or default}
        lead = "offline, " if scenario == "offline" else ""
        return [Load(name=lead + text, concurrency=n, window=window) for n, text in texts.items()]
    return [Load(name=str(scenario), concurrency=1 if scenario == "single" else None)]


def _timed(load: Load, workload: Workload, messages: int) -> Load:
    is_offline = workload.scenario == "offline"
    return Load(
        name=load.name,
        rate=load.rate,
        concurrency=load.concurrency,
        window=load.window,
        warmup_s=0.0 if is_offline else workload.warmup_s,
        duration_s=None if is_offline or workload.scenario == "replay" else workload.duration_s,
        count=messages if is_offline else workload.count,
    )


def _repeated(load: Load, repeat: int) -> Load:
    return Load(**{**vars(load), "repeat": repeat})


def orders(load: Load, workload: Workload, processes: int, start_s: float, schedule: Path | None) -> list[Order]:
    """Return each process's part. Callers are spread over the processes, as far as there are any.

    Parameters
    ----------
    load : Load
        The step.
    workload : Workload
        What it is of.
    processes : int
        How many there are.
    start_s : float
        When all begin.
    schedule : Path or None
        The recorded times, for a replay.
    """
    of = min(processes, load.concurrency) if load.concurrency is not None else processes
    assert workload.scenario is not None
    return [
        Order(
            scenario=workload.scenario,
            start_s=start_s,
            warmup_s=load.warmup_s,
            duration_s=load.duration_s,
            count=None if load.count is None else _share(load.count, index, of),
            rate=load.rate,
            arrivals=str(schedule) if schedule else workload.arrivals,
            seed=workload.seed + load.repeat,
            speed=workload.speed,
            index=index,
            of=of,
            callers=_share(load.concurrency or 1, index, of),
            window=workload.window,
            timeout_s=workload.timeout_s,
            max_in_flight=max(1, workload.max_in_flight // of),
        )
        for index in range(of)
    ]


def _share(whole: int, index: int, of: int) -> int:
    return (whole - index + of - 1) // of
