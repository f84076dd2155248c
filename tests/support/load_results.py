"""Plausible results of load tests: one queue in front of a server, drawn from a seed; seconds of it in milliseconds."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from numbatch.loadtest.results import (
    PERCENTILES,
    Distribution,
    Environment,
    GeneratorLoad,
    Outcomes,
    Point,
    Results,
    ServerInfo,
    ServerSide,
    Step,
)

Array = npt.NDArray[np.float64]

_BUCKET_RATIO = 1.01
_COMPUTE_US = 38.0


def distribution(us: Array) -> Distribution:
    if not len(us):
        return Distribution()
    percentiles = {name: float(np.quantile(us, at, method="inverted_cdf")) for name, at in PERCENTILES.items()}
    return Distribution(
        count=len(us), mean=float(us.mean()), min=float(us.min()), max=float(us.max()), percentiles=percentiles
    )


def histogram(us: Array) -> list[tuple[float, int]]:
    buckets = np.ceil(np.log(us) / math.log(_BUCKET_RATIO)).astype(int)
    return [(_BUCKET_RATIO ** int(at), int(n)) for at, n in zip(*np.unique(buckets, return_counts=True), strict=True)]


def waits_us(starts: Array, service: Array) -> Array:
    """How long each request waits in front of one server, first come, first served."""
    total = np.cumsum(service)
    ends = total + np.maximum.accumulate(starts - (total - service))
    return np.asarray(ends - service - starts)


def open_step(
    rate: float,
    *,
    seconds: float = 10.0,
    capacity: float = 6000.0,
    slower: float = 1.0,
    pause_s: float = 0.0,
    repeat: int = 0,
    seed: int = 1,
    bound: str = "",
    mismatches: int = 0,
) -> Step:
    """Requests at random times, so many a second, to a server that answers at most `capacity` a second."""
    rng = np.random.default_rng([seed, repeat, int(rate)])
    starts = np.cumsum(rng.exponential(1e6 / rate, int(rate * seconds)))
    starts *= seconds * 1e6 / (starts[-1] + 1)
    refused = rng.random(len(starts)) > 0.97 * capacity / rate  # the server protects itself
    kept = starts[~refused]
    service = rng.gamma(4.0, slower * 1e6 / capacity / 4.0, len(kept))
    if pause_s:
        service[np.searchsorted(kept, seconds * 0.55e6)] += pause_s * 1e6
    lag = rng.gamma(2.0, 20.0, len(kept))
    transit = slower * (
        230 + rng.lognormal(4.6, 0.55, len(kept)) + (rng.random(len(kept)) < 0.001) * 4000 * rng.random(len(kept))
    )
    waits = waits_us(kept, service)
    service_us = np.minimum(waits, 2e6) + service + transit
    latency = lag + waits + service + transit
    late = latency > 2.5e6
    wrong = np.zeros(len(kept), bool)
    wrong[:mismatches] = True
    ok = ~late & ~wrong
    answered_by = (kept + latency) / 1e6 <= seconds
    return Step(
        name=f"{rate:,g}/s",
        scenario="open",
        rate=rate,
        concurrency=None,
        window=None,
        rows_per_message=1,
        repeat=repeat,
        warmup_s=2.0,
        duration_s=seconds,
        sent=len(starts),
        outcomes=Outcomes(
            ok=int(ok.sum()), refused=int(refused.sum()), deadline=int(late.sum()), mismatch=int(wrong.sum())
        ),
        requests_per_s=float((ok & answered_by).sum() / seconds),
        rows_per_s=float((ok & answered_by).sum() / seconds),
        latency_us=distribution(latency[ok]),
        service_us=distribution(service_us[ok]),
        send_lag_us=distribution(lag),
        histogram=histogram(latency[ok]),
        series=series(starts, kept, latency, ok, refused, seconds, rate / capacity),
        generator=GeneratorLoad(
            processes=2,
            cpu_share=[round(0.05 + rate / 16_000 + 0.01 * at, 3) for at in range(2)],
            us_per_request=88.0,
            bound=bool(bound),
            reason=bound,
        ),
        server_side=ServerSide(
            queue_us=float(waits[ok].mean()) * 0.8,
            compute_us=_COMPUTE_US * slower,
            overhead_us=float(service_us[ok].mean() - waits[ok].mean() * 0.8 - _COMPUTE_US * slower),
            batch_rows=1 + 3 * rate / capacity,
        ),
        not_ok_us=distribution(np.concatenate([latency[~ok], rng.gamma(4.0, 80.0, int(refused.sum()))])),
        errors={"RESOURCE_EXHAUSTED: SERVER_OVERLOADED: max_queued_rows": int(refused.sum())} if refused.any() else {},
        unstable="the backlog grew by 1,930 requests" if rate > capacity else "",
        backlog=1930 if rate > capacity else 0,
    )


def series(
    starts: Array,
    kept: Array,
    latency: Array,
    ok: npt.NDArray[np.bool_],
    refused: npt.NDArray[np.bool_],
    seconds: float,
    load: float,
) -> list[Point]:
    began, ended = starts // 1e6, (kept + latency) // 1e6
    points = []
    for second in range(int(seconds)):
        of_this = latency[ok & (ended == second)]
        spread = distribution(of_this)
        errors = int((~ok & (ended == second)).sum() + (refused & (began == second)).sum())
        points.append(
            Point(
                t_s=float(second),
                sent=int((began == second).sum()),
                ok=len(of_this),
                errors=errors,
                p50_us=spread.percentiles["p50"],
                p99_us=spread.percentiles["p99"],
                max_us=spread.max,
                batch_rows=1 + 3 * load * (1 + 0.1 * math.sin(second)) if len(of_this) else None,
            )
        )
    return points


def closed_step(
    concurrency: int, *, repeat: int = 0, rows: int = 32, seconds: float = 10.0, slower: float = 1.0
) -> Step:
    """So many callers, each of which asks again when it has an answer."""
    rng = np.random.default_rng([repeat, concurrency])
    per_s = 9000 * concurrency / (concurrency + 5.0) / slower
    n = int(per_s * seconds)
    latency = (concurrency / per_s * 1e6) * rng.lognormal(-0.02, 0.2 + 0.02 * math.log2(concurrency), n)
    ends = np.sort(rng.random(n)) * seconds * 1e6
    everything, nothing = np.ones(n, bool), np.zeros(n, bool)
    base = open_step(100.0, seconds=2.0)
    mean = float(latency.mean())
    return replace(
        base,
        name=f"concurrency {concurrency}",
        scenario="closed",
        rate=None,
        concurrency=concurrency,
        rows_per_message=rows,
        repeat=repeat,
        duration_s=seconds,
        sent=n,
        outcomes=Outcomes(ok=n),
        requests_per_s=n / seconds,
        rows_per_s=rows * n / seconds,
        latency_us=distribution(latency),
        service_us=distribution(latency),
        send_lag_us=Distribution(),
        histogram=histogram(latency),
        series=series(ends - latency, ends - latency, latency, everything, nothing, seconds, per_s / 9000),
        server_side=ServerSide(queue_us=mean * 0.5, compute_us=mean * 0.2, overhead_us=mean * 0.3, batch_rows=16.5),
        not_ok_us=Distribution(),
        errors={},
    )


def results(steps: Sequence[Step], *, model: str = "digits", **others: Any) -> Results:
    """A run of these steps, and everything else that a report tells."""
    return Results(
        started="2026-11-25T22:15:04+00:00",
        command=["numbatch", "loadtest", model, "--rate", "500:5000:500", "--repeats", "3", "--html", "report.html"],
        settings={
            "model": model,
            "rates": sorted({step.rate for step in steps if step.rate}),
            "arrivals": "poisson",
            "seed": 7,
            "verify": "all",
        },
        environment=Environment(
            python="3.12.4",
            platform="Linux-6.8.0-x86_64-with-glibc2.39",
            cpu="AMD EPYC 9R14",
            cores=2,
            versions={"numbatch": "0.1.0", "grpcio": "1.75.1", "numpy": "2.3.4"},
        ),
        server=ServerInfo(
            address="127.0.0.1:8001",
            model=model,
            version=1,
            instruction_set="avx512",
            weights_precision="f32",
            numbatch="0.1.0",
            workers=1,
        ),
        repeats=1 + max(step.repeat for step in steps),
        steps=list(steps),
        **others,
    )
