"""More than a server can answer: it is to go on answering what it can, and to refuse the rest at once."""

from typing import Any

from benchmarks.service.cases import HEAVY
from benchmarks.service.services import Service
from numbatch.loadtest import Workload, run
from numbatch.loadtest.results import Step

NAME = f"overload {HEAVY.name}"
_ROWS = 256
_TIMES = 3.0
_DEADLINE_S = 0.5


def overload(service: Service, *, seconds: float, rounds: int) -> dict[str, Any]:
    """Return what a server does at its capacity, and at three times that.

    The capacity is what it answers in a closed loop with as many messages at once as bring the most. Goodput are the
    answers that come before their deadline. Both take turns; the figures are those of the round with the median share.
    """
    found = sorted((_round(service, seconds) for _ in range(rounds)), key=lambda each: each["goodput_share"])
    return {"case": NAME, "rows": _ROWS, "times": _TIMES, "deadline_s": _DEADLINE_S} | found[len(found) // 2]


def _round(service: Service, seconds: float) -> dict[str, Any]:
    capacity = max(_step(service, concurrency=[n], duration_s=seconds, warmup_s=0.5).requests_per_s for n in (4, 16))
    step = _step(service, rates=[_TIMES * capacity], duration_s=2 * seconds, warmup_s=1.0)
    ok, refused = step.outcomes.ok, step.outcomes.refused
    return {
        "capacity_per_s": capacity,
        "offered_per_s": _TIMES * capacity,
        "goodput_per_s": step.requests_per_s,
        "goodput_share": step.requests_per_s / capacity,
        "ok_p99_us": step.latency_us.percentiles["p99"] if ok else None,
        "refused": refused,
        "refused_p99_us": step.refused_us.percentiles["p99"] if refused else None,
        "other_statuses": {
            name: count for name in ("deadline", "unavailable", "failed") if (count := getattr(step.outcomes, name))
        },
        "generator_cpu": step.generator.cpu_share[0],
        "send_lag_p99_us": step.send_lag_us.percentiles["p99"],
    }


def _step(service: Service, **load: Any) -> Step:
    contender = service.contender
    model = next(iter(contender.forms(HEAVY, False).values()))
    x = {contender.tensors(HEAVY)[0]: HEAVY.batch(_ROWS)}
    workload = Workload(
        model=model,
        protocol=contender.protocol,
        data=x,
        rows_per_message=_ROWS,
        processes=1,
        connections=4,
        timeout_s=_DEADLINE_S,
        metrics="",
        **load,
    )
    (step,) = run(workload, server=service.address).steps
    if step.outcomes.mismatch:
        raise ValueError(f"{contender.name} computes something else under load")
    return step
