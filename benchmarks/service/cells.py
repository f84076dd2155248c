"""One case: all contenders take turns at it, in every round each once; what is reported are medians over the rounds.

Where a contender has several forms all of them take part, and the fastest stands for it.
"""

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from benchmarks.grid import Array
from benchmarks.service.cases import Case
from benchmarks.service.services import Service
from numbatch.engine import load_model
from numbatch.loadtest import Workload
from numbatch.loadtest.session import Session, opened

_Turn: TypeAlias = dict[str, float]

_WARM_UP_S = 0.2

# The generator is one thread of Python: beyond this it is its own speed that is measured.
GENERATOR_BOUND = 0.9


def measure(
    case: Case, services: Sequence[Service], folder: Path, *, seconds: float, rounds: int
) -> list[dict[str, Any]]:
    """Return the cells of a case, one for each contender.

    Parameters
    ----------
    seconds : float
        Of each turn, beside its warm-up.
    rounds : int
        Turns of each contender.

    Raises
    ------
    ValueError
        If a contender answers anything but the network's outputs.
    """
    x = case.network.batch(case.rows)
    expected, compute_us = _alone(case, x)
    turns: dict[_Asking, list[_Turn]] = {}
    with ExitStack() as stack:
        for service in services:
            for form, workload in _workloads(case, service, x, expected, folder, seconds):
                session = stack.enter_context(opened(workload, server=service.address))
                turns[_Asking(service, form, session)] = []
        askings = list(turns)
        for _ in range(rounds):
            for asking in askings:
                turns[asking].append(_turn(asking))
            askings.append(askings.pop(0))  # nobody comes first, or after the same neighbour, every time
    best: dict[str, _Asking] = {}
    for asking in sorted(turns, key=lambda each: _median(turns[each], "messages_per_s")):
        best[asking.service.contender.name] = asking
    cells = {name: _cell(case, asking, turns[asking]) for name, asking in best.items()}
    if "numbatch" in cells:
        cells["numbatch"] |= _compared({name: turns[asking] for name, asking in best.items()})
        cells["numbatch"]["compute_us"] = compute_us
        if "echo" in cells:
            cells["numbatch"]["compute_share"] = compute_us * cells["echo"]["messages_per_s"] / 1e6
    return [cells[service.contender.name] for service in services]


class _Asking(NamedTuple):
    """A contender, the form in which it is asked, and who asks."""

    service: Service
    form: str
    session: Session


def _alone(case: Case, x: Array) -> tuple[Array, float]:
    """Return the outputs, and the microseconds that the engine alone takes for them, undisturbed."""
    model = load_model(case.network.message())
    times = []
    for _ in range(50):
        start = time.perf_counter()
        outputs = model.infer(x)
        times.append(time.perf_counter() - start)
    return outputs, min(times) * 1e6


def _workloads(
    case: Case, service: Service, x: Array, expected: Array, folder: Path, seconds: float
) -> Iterator[tuple[str, Workload]]:
    contender = service.contender
    input_, output = contender.tensors(case.network)
    streamed = case.streamed and contender.streams
    for form, model in contender.forms(case.network, case.streamed).items():
        yield (
            form,
            Workload(
                model=model,
                protocol=contender.protocol,
                scenario="stream" if streamed else "closed",
                concurrency=[1 if streamed else case.in_flight],
                window=case.in_flight,
                data={input_: x},
                rows_per_message=case.rows,
                expect={output: expected} if contender.computes else None,
                tolerance=contender.tolerance,
                duration_s=seconds,
                warmup_s=_WARM_UP_S,
                processes=1,
                connections=case.connections,
                metrics="",
                mismatch_folder=folder,
            ),
        )


def _turn(asking: _Asking) -> _Turn:
    service, session = asking.service, asking.session
    (load,) = session.planned()
    cpu_s = service.cpu_s()
    step = session.run(load)
    # It is idle but for the turn and its warm-up.
    server_cpu = (service.cpu_s() - cpu_s) / (step.warmup_s + step.duration_s)
    if session.interrupted:
        raise KeyboardInterrupt
    if session.mismatches:
        raise ValueError(f"{service.contender.name} computes something else: {session.mismatches[0].detail}")
    return {
        "messages_per_s": step.requests_per_s,
        "p50_us": step.latency_us.percentiles["p50"],
        "p99_us": step.latency_us.percentiles["p99"],
        "generator_cpu": step.generator.cpu_share[0],
        "server_cpu": server_cpu,
        "server_us": server_cpu / max(step.requests_per_s, 1e-9) * 1e6,
        "errors": step.outcomes.errors,
    }


def _median(turns: Sequence[_Turn], figure: str) -> float:
    return statistics.median(turn[figure] for turn in turns)


def _cell(case: Case, asking: _Asking, turns: Sequence[_Turn]) -> dict[str, Any]:
    figures = ("messages_per_s", "p50_us", "p99_us", "generator_cpu", "server_cpu", "server_us")
    medians = {figure: _median(turns, figure) for figure in figures}
    return {
        "case": case.name,
        "network": case.network.name,
        "rows": case.rows,
        "mode": "stream" if case.streamed else "unary",
        "in_flight": case.in_flight,
        "workers": case.workers,
        "contender": asking.service.contender.name,
        "form": asking.form,
        **medians,
        "rows_per_s": medians["messages_per_s"] * case.rows,
        "generator_bound": medians["generator_cpu"] > GENERATOR_BOUND,
        "errors": sum(turn["errors"] for turn in turns),
    }


def _compared(turns: dict[str, list[_Turn]]) -> dict[str, Any]:
    """Return the ratios of numbatch's rate to the others', each of the same rounds."""
    ratios = {
        name: statistics.median(
            own["messages_per_s"] / max(other["messages_per_s"], 1e-9)
            for own, other in zip(turns["numbatch"], found, strict=True)
        )
        for name, found in turns.items()
        if name != "numbatch"
    }
    echo = {"echo_ratio": ratios.pop("echo")} if "echo" in ratios else {}
    return echo | {"peers": ratios}
