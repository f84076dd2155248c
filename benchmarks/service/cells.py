"""One case: all contenders take turns at it, in every round each once; what is reported are medians over the rounds.

Where a contender has several forms all of them take part, and the fastest stands for it.
"""

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from benchmarks.grid import Array
from benchmarks.service.cases import Case
from benchmarks.service.load import Order
from benchmarks.service.services import Generator, Service
from numbatch.engine import load_model

_Turn: TypeAlias = dict[str, Any]

_WARM_UP_S = 0.2

# The generator is one thread of Python: beyond this it is its own speed that is measured.
GENERATOR_BOUND = 0.9


def measure(
    case: Case, services: Sequence[Service], generator: Generator, folder: Path, *, seconds: float, rounds: int
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
    askings = [asking for service in services for asking in _askings(case, service, x, folder, seconds)]
    turns: dict[_Asking, list[_Turn]] = {asking: [] for asking in askings}
    for _ in range(rounds):
        for asking in askings:
            turns[asking].append(_turn(asking, generator))
        askings.append(askings.pop(0))  # nobody comes first, or after the same neighbour, every time
    for asking, found in turns.items():
        _check(asking, found, expected)
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
    """A contender, the form in which it is asked, and how that is sent."""

    service: Service
    form: str
    order: Order


def _alone(case: Case, x: Array) -> tuple[Array, float]:
    """Return the outputs, and the microseconds that the engine alone takes for them, undisturbed."""
    model = load_model(case.network.message())
    times = []
    for _ in range(50):
        start = time.perf_counter()
        outputs = model.infer(x)
        times.append(time.perf_counter() - start)
    return outputs.reshape(-1), min(times) * 1e6


def _askings(case: Case, service: Service, x: Array, folder: Path, seconds: float) -> Iterator[_Asking]:
    contender = service.contender
    for form, question in contender.ask(case.network, case.streamed).items():
        file = folder / f"{contender.name}{form}.request"
        file.write_bytes(question.request(x))
        order = Order(
            address=service.address,
            method=question.method,
            request=str(file),
            seconds=seconds,
            in_flight=case.in_flight,
            connections=case.connections,
            streamed=question.streamed,
            warm_up_s=_WARM_UP_S,
        )
        yield _Asking(service, form, order)


def _turn(asking: _Asking, generator: Generator) -> _Turn:
    service = asking.service
    cpu_s, start = service.cpu_s(), time.monotonic()
    outcome = generator.run(asking.order)
    cpu_s, elapsed = service.cpu_s() - cpu_s, time.monotonic() - start
    statuses = outcome["statuses"]
    ok = statuses.get("OK", {"count": 0, "p50_us": 0.0, "p99_us": 0.0})
    per_s = ok["count"] / outcome["seconds"]
    return {
        "messages_per_s": per_s,
        "p50_us": ok["p50_us"],
        "p99_us": ok["p99_us"],
        "generator_cpu": outcome["cpu_s"] / outcome["seconds"],
        "server_cpu": cpu_s / elapsed,
        "server_us": cpu_s / elapsed / per_s * 1e6 if per_s else math.nan,
        "errors": sum(found["count"] for code, found in statuses.items() if code != "OK"),
        "answers": outcome["answers"],
        "other_answers": outcome["other_answers"],
    }


def _check(asking: _Asking, turns: Sequence[_Turn], expected: Array) -> None:
    contender = asking.service.contender
    answers = {bytes.fromhex(answer) for turn in turns for answer in turn["answers"]}
    if contender.exact and (len(answers) > 1 or any(turn["other_answers"] for turn in turns)):
        raise ValueError(f"{contender.name} answers the same request with different bytes")
    if contender.computes:
        for answer in answers:
            outputs = contender.outputs(answer, asking.order.streamed)
            if outputs.shape != expected.shape or np.abs(outputs - expected).max() > 1e-3 * np.abs(expected).max():
                raise ValueError(f"{contender.name} computes something else")


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
