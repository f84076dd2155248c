"""Whatever comes in whatever order: nothing is lost, run twice, run late, or run beyond a limit."""

import math
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from numbatch.batching import BatchLimits, Group, Priority, Queue, Request
from numbatch.batching.request import Batch

MAX_BATCH = 4
LIMITS = {
    "a": BatchLimits(MAX_BATCH, 0.0, max_queued_rows=20, max_queued_bytes=200, max_in_flight=8),
    "b": BatchLimits(MAX_BATCH, 0.5, max_queued_rows=30, max_queued_bytes=400, max_in_flight=12),
}
MAX_BYTES = 300


class Batching(RuleBasedStateMachine):
    """A queue, and beside it what a patient clerk would have written down."""

    requests = Bundle("requests")
    batches = Bundle("batches")

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue = Queue(max_bytes_in_flight=MAX_BYTES, threads=2)
        self.groups = [Group(model, lambda parts: None, LIMITS[model]) for model in ("a", "a", "b")]
        self.rows_run: dict[Request, list[int]] = {}
        self.ends: dict[Request, str] = {}
        self.running: list[Batch] = []

    @rule(
        target=requests,
        group=st.integers(0, 2),
        rows=st.sampled_from([1, 1, 1, 2, 3, 4, 5, 11]),
        priority=st.sampled_from(Priority),
        patience=st.sampled_from([0.3, 1.0, math.inf]),
    )
    def offer(self, group: int, rows: int, priority: Priority, patience: float) -> Any:
        request = Request(
            self.groups[group], None, rows, size_bytes=10 * rows, priority=priority, deadline=self.now + patience
        )
        before = self.queue.statistics
        refusal = self.queue.offer(request, self.now)
        if refusal is not None:
            assert self.queue.statistics == before
            assert refusal.got > refusal.most
            assert 0 < refusal.retry_after_s <= 5
            return multiple()
        self.rows_run[request] = []
        self.now += 0.001  # no two arrive at the same time
        return request

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=batches)
    def take(self) -> Any:
        runnable = self.queue.ripe_at() <= self.now
        batch, expired = self.queue.take(self.now)
        for request in expired:
            assert request.deadline <= self.now
            self.end(request, "expired")
        if batch is None:
            # Work-conserving: a thread stays idle only where nothing waits that may run.
            assert not runnable or expired
            return multiple()
        assert 1 <= batch.rows <= MAX_BATCH
        assert batch.rows == sum(stop - start for _, start, stop in batch.parts)
        urgency = [part.request.priority for part in batch.parts]
        assert urgency == sorted(urgency)
        first = batch.parts[0].request
        for waiting in self.waiting():
            if waiting.group is not self.groups[2]:  # the one with a delay
                assert (first.priority, first.arrived) <= (waiting.priority, waiting.arrived)
        for request, start, stop in batch.parts:
            assert request not in self.ends
            assert request.deadline > self.now or start > 0
            # Only what does not fit a batch runs in pieces.
            assert start + stop == request.rows or request.rows > MAX_BATCH
            assert request.group is batch.group
            assert start == len(self.rows_run[request])  # its rows run in their order, and none twice
            self.rows_run[request] += range(start, stop)
            assert len(self.rows_run[request]) <= request.rows
        self.running.append(batch)
        return batch

    @rule(batch=consumes(batches), fails=st.booleans())
    def finish(self, batch: Batch, fails: bool) -> None:
        self.running.remove(batch)
        for request in self.queue.finish(batch, self.now, ZeroDivisionError() if fails else None):
            if request.problem is None:
                assert self.rows_run[request] == list(range(request.rows))
            self.end(request, "answered" if request.problem is None else "failed")

    @rule(request=requests)
    def withdraw(self, request: Request) -> None:
        if self.queue.withdraw(request):
            self.end(request, "withdrawn")
        else:
            assert request in self.ends

    @invariant()
    def what_is_counted_is_what_there_is(self) -> None:
        runs = {part.request for batch in self.running for part in batch.parts}
        flying = [request for request in self.rows_run if request not in self.ends or request in runs]
        waiting = self.waiting()
        expected = {}
        for model in {request.group.model for request in flying}:
            mine = [request for request in waiting if request.group.model == model]
            expected[model] = (
                len(mine),
                sum(request.rows - len(self.rows_run[request]) for request in mine),
                sum(request.size_bytes for request in mine),
                sum(request.group.model == model for request in flying),
            )
        assert self.queue.statistics == (expected, sum(request.size_bytes for request in flying))
        assert self.queue.is_empty is (not waiting)

    @invariant()
    def no_limit_is_passed(self) -> None:
        statistics = self.queue.statistics
        for model, counts in statistics.models.items():
            limits = LIMITS[str(model)]
            assert counts.in_flight <= limits.max_in_flight
            if counts.queued_requests > 1:
                assert counts.queued_rows <= limits.max_queued_rows
                assert counts.queued_bytes <= limits.max_queued_bytes
        assert statistics.bytes_in_flight <= MAX_BYTES

    def teardown(self) -> None:
        """Run all that is left: every request ends, once."""
        self.now += 1e6
        while True:
            for batch in self.running:
                for request in self.queue.finish(batch, self.now):
                    self.end(request, "answered")
            self.running.clear()
            next_batch, expired = self.queue.take(self.now)
            for request in expired:
                self.end(request, "expired")
            if next_batch is None:
                break
            self.running.append(next_batch)
        assert set(self.ends) == set(self.rows_run)
        assert self.queue.statistics == ({}, 0)
        super().teardown()

    def waiting(self) -> list[Request]:
        known = self.rows_run.items()
        return [request for request, rows in known if request not in self.ends and len(rows) < request.rows]

    def end(self, request: Request, how: str) -> None:
        assert request not in self.ends
        self.ends[request] = how


TestBatching = pytest.mark.filterwarnings("error")(Batching.TestCase)
TestBatching.settings = settings(max_examples=300, stateful_step_count=40)
