"""More than a server can answer: it is to go on answering what it can, and to refuse the rest at once."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.service.cases import HEAVY
from benchmarks.service.load import Order
from benchmarks.service.services import Generator, Service

NAME = f"overload {HEAVY.name}"
_ROWS = 256
_TIMES = 3.0
_DEADLINE_S = 0.5


def overload(service: Service, generator: Generator, folder: Path, *, seconds: float, rounds: int) -> dict[str, Any]:
    """Return what a server does at its capacity, and at three times that.

    The capacity is what it answers in a closed loop with as many messages at once as bring the most. Goodput are the
    answers that come before their deadline. Both take turns; the figures are those of the round with the median share.
    """
    question = next(iter(service.contender.ask(HEAVY, False).values()))
    file = folder / "overload.request"
    file.write_bytes(question.request(HEAVY.batch(_ROWS)))
    closed = Order(
        address=service.address,
        method=question.method,
        request=str(file),
        seconds=seconds,
        connections=4,
        warm_up_s=0.5,
        deadline_s=_DEADLINE_S,
    )
    found = sorted((_round(closed, generator) for _ in range(rounds)), key=lambda each: each["goodput_share"])
    return {"case": NAME, "rows": _ROWS, "times": _TIMES, "deadline_s": _DEADLINE_S} | found[len(found) // 2]


def _round(closed: Order, generator: Generator) -> dict[str, Any]:
    capacities = {n: _rate(generator.run(replace(closed, in_flight=n))) for n in (4, 16)}
    capacity = max(capacities.values())
    outcome = generator.run(replace(closed, rate_per_s=_TIMES * capacity, seconds=2 * closed.seconds, warm_up_s=1.0))
    refused = outcome["statuses"].pop("RESOURCE_EXHAUSTED", {"count": 0, "p99_us": None})
    goodput = _rate(outcome)
    ok = outcome["statuses"].pop("OK", {"p99_us": None})
    return {
        "capacity_per_s": capacity,
        "offered_per_s": _TIMES * capacity,
        "goodput_per_s": goodput,
        "goodput_share": goodput / capacity,
        "ok_p99_us": ok["p99_us"],
        "refused": refused["count"],
        "refused_p99_us": refused["p99_us"],
        "other_statuses": {code: found["count"] for code, found in outcome["statuses"].items()},
        "generator_cpu": outcome["cpu_s"] / outcome["seconds"],
        "send_lag_p99_us": outcome["send_lag_p99_us"],
    }


def _rate(outcome: dict[str, Any]) -> float:
    return outcome["statuses"].get("OK", {"count": 0})["count"] / outcome["seconds"]
