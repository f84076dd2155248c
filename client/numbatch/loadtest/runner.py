"""Runs one step with all generator processes, and puts together what they found."""

import base64
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from numbatch.loadtest.bottleneck import bottleneck
from numbatch.loadtest.loads import LEAD_S, Load, orders
from numbatch.loadtest.orders import Found
from numbatch.loadtest.outcomes import outcomes
from numbatch.loadtest.preparation import Prepared
from numbatch.loadtest.processes import GeneratorProcesses, Tick
from numbatch.loadtest.progress import OnProgress, Progress
from numbatch.loadtest.protocols import protocol_named
from numbatch.loadtest.results import GeneratorLoad, Mismatch, Point, ServerSide, Step
from numbatch.loadtest.series import Series, merged, summed
from numbatch.loadtest.server_metrics import BatchRows, Metrics, fetch, is_ours, server_side
from numbatch.loadtest.verdict import backlog_problem
from numbatch.loadtest.workload import Workload

# The server's metrics are read so long before the warm-up ends: what that costs the server is not measured.
_BEFORE_BEGIN_S = 0.25
_SAVED_MISMATCHES = 10
# In less, what a process does for the first time is most of what it does.
_JUDGED_CPU_S = 0.5
_LONGEST_TEXTS = 20


@dataclass
class Runner:
    """Runs steps.

    Attributes
    ----------
    workload : Workload
        What they are of.
    prepared : Prepared
        What is sent.
    processes : GeneratorProcesses
        Who sends.
    metrics_address : str
        Where the server's metrics are; "": nowhere.
    schedule : Path or None
        The recorded times, for a replay.
    on_progress : callable
        Is told how it goes.
    """

    workload: Workload
    prepared: Prepared
    processes: GeneratorProcesses
    metrics_address: str
    schedule: Path | None
    on_progress: OnProgress

    def __post_init__(self) -> None:
        self.mismatches: list[Mismatch] = []

    def run(self, load: Load, number: int, of: int | None) -> Step:
        """Run one step; it is the `number`-th of `of`. Ctrl-C ends it early."""
        before = self._metrics()
        start_s = time.monotonic() + LEAD_S
        parts = orders(load, self.workload, len(self.processes), start_s, self.schedule)
        batch_rows = BatchRows(self._metrics, self.prepared.models) if self.workload.metrics_each_second else None
        series = Series(len(parts), load.warmup_s)
        watch = _Watch(load, number, of, series, self.on_progress, self._metrics, batch_rows)
        found = self.processes.run(parts, watch.tick)
        side = self._side(before, watch.at_begin or before, self._metrics(), found)
        points = series.points(batch_rows.by_second if batch_rows else None)
        step = self._step(load, found, points, side)
        self._save_mismatches(found)
        watch.finished(step)
        return step

    def _step(self, load: Load, found: Sequence[Found], points: list[Point], side: ServerSide | None) -> Step:
        latency = merged(one.latency for one in found)
        service, lag, not_ok, refused = (
            merged(getattr(one, name) for one in found) for name in ("service", "lag", "not_ok", "refused")
        )
        sent = sum(one.sent for one in found)
        duration_s = load.duration_s
        stopped = [one.stopped_s for one in found if one.stopped_s is not None]
        if stopped:
            duration_s = min(max(stopped) - load.warmup_s, duration_s or math.inf)
        last_s = max(one.last_done_s for one in found) - load.warmup_s
        overrun = any(one.overrun for one in found)
        if duration_s is None or overrun or (load.count is not None and sent >= load.count):
            # It was over before, or has no length but that of its requests.
            duration_s = max(last_s if duration_s is None else min(last_s, duration_s), 1e-9)
        backlog = sum(one.open_at_end - one.open_at_begin for one in found)
        cpu_share = [round(one.cpu_s / one.cpu_of_s, 4) if one.cpu_of_s else 0.0 for one in found]
        judged = [share for share, one in zip(cpu_share, found, strict=True) if one.cpu_of_s >= _JUDGED_CPU_S]
        reason = bottleneck(lag.distribution(), latency.distribution(), judged)
        unstable = ""
        if self.workload.scenario in ("open", "replay"):
            unstable = backlog_problem(sent, backlog, overrun, self.workload.max_in_flight)
        assert self.workload.scenario is not None
        return Step(
            name=load.name,
            scenario=self.workload.scenario,
            rate=load.rate,
            concurrency=load.concurrency,
            window=load.window,
            rows_per_message=self.workload.rows_per_message,
            repeat=load.repeat,
            warmup_s=load.warmup_s,
            duration_s=duration_s,
            sent=sent,
            outcomes=outcomes(summed([one.counts for one in found])),
            requests_per_s=sum(one.requests_in_time for one in found) / duration_s,
            rows_per_s=sum(one.rows_in_time for one in found) / duration_s,
            latency_us=latency.distribution(),
            service_us=service.distribution(),
            send_lag_us=lag.distribution(),
            not_ok_us=not_ok.distribution(),
            refused_us=refused.distribution(),
            histogram=latency.buckets(),
            series=points,
            generator=GeneratorLoad(
                processes=len(found),
                cpu_share=cpu_share,
                us_per_request=sum(one.cpu_s for one in found) * 1e6 / max(sent, 1),
                bound=bool(reason),
                reason=reason,
            ),
            server_side=side,
            backlog=backlog,
            unstable=unstable,
            errors=_most_frequent(summed([one.texts for one in found])),
        )

    def _metrics(self) -> Metrics | None:
        return fetch(self.metrics_address) if self.metrics_address else None

    def _side(
        self, before: Metrics | None, begin: Metrics | None, after: Metrics | None, found: Sequence[Found]
    ) -> ServerSide | None:
        if before is None or begin is None or after is None:
            return None
        ok, answered = sum(one.all_ok for one in found), sum(one.all_answered for one in found)
        if not is_ours(before, after, self.prepared.models, ok, answered):
            return None
        service = merged(one.service for one in found).distribution()
        return server_side(begin, after, self.prepared.models, service.mean)

    def _save_mismatches(self, found: Sequence[Found]) -> None:
        protocol = protocol_named(self.workload.protocol)
        for told in (one for part in found for one in part.mismatches):
            part, message = self.prepared.part_of(told["message"])
            file = ""
            if len(self.mismatches) < _SAVED_MISMATCHES:
                answer = protocol.answer(base64.b64decode(told["answer"]), streamed=self.workload.streamed)
                start, end = part.bounds[message], part.bounds[message + 1]
                arrays = {f"input.{name}": array for name, array in part.inputs(message).items()}
                arrays |= {f"expected.{name}": rows[start:end] for name, rows in (part.expected or {}).items()}
                arrays |= {f"got.{name}": array for name, array in answer.outputs.items()}
                file = str(_new_file(Path(self.workload.mismatch_folder), part.model.name))
                np.savez(file, allow_pickle=False, **arrays)
            self.mismatches.append(
                Mismatch(model=told["model"], message=told["message"], detail=told["detail"], file=file)
            )


class _Watch:
    """What is seen of a step while it runs."""

    def __init__(
        self,
        load: Load,
        number: int,
        of: int | None,
        series: Series,
        on_progress: OnProgress,
        metrics: Callable[[], Metrics | None],
        batch_rows: BatchRows | None = None,
    ) -> None:
        self._load, self._number, self._of, self._on_progress, self._metrics = load, number, of, on_progress, metrics
        self.series = series
        self._batch_rows = batch_rows
        self.at_begin: Metrics | None = None
        self._looked = False
        self._told = 0

    def tick(self, process: int, tick: Tick) -> None:
        self.series.add(process, tick)
        begin_s = self._load.warmup_s
        if not self._looked and begin_s - _BEFORE_BEGIN_S <= tick["now_s"] < begin_s:
            self._looked = True
            self.at_begin = self._metrics()
        if self._batch_rows is not None and tick["now_s"] >= begin_s:
            self._batch_rows.look(tick["now_s"] - begin_s)
        self._on_progress(self._progress())

    def finished(self, step: Step) -> None:
        self._on_progress(self._progress(step))

    def _progress(self, finished: Step | None = None) -> Progress:
        points = tuple(self.series.complete(self._told))
        self._told += len(points)
        return Progress(
            step=self._load.name,
            number=self._number,
            of=self._of,
            elapsed_s=max(self.series.now_s, 0.0),
            longest_s=self._load.longest_s,
            warmup_s=self._load.warmup_s,
            in_flight=self.series.in_flight,
            points=points,
            finished=finished,
        )


def _most_frequent(texts: dict[str, int]) -> dict[str, int]:
    ordered = sorted(texts.items(), key=lambda item: -item[1])
    return dict(ordered[:_LONGEST_TEXTS])


def _new_file(folder: Path, model: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    number = 1
    while (path := folder / f"mismatch-{model}-{number}.npz").exists():
        number += 1
    return path
