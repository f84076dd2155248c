"""The queue as threads share it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from numbatch.batching import Batcher, BatchLimits, BatchReport, Group, Part, Queue, Request


class Told:
    """Keeps what a batcher tells."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[Request], BatchReport | None]] = []
        self._some = threading.Condition()

    def __call__(self, ended: Sequence[Request], report: BatchReport | None) -> None:
        with self._some:
            self.calls.append((list(ended), report))
            self._some.notify()

    def wait(self, count: int) -> None:
        with self._some:
            assert self._some.wait_for(lambda: len(self.calls) >= count, 10)


@contextmanager
def batcher(told: Told, threads: int = 0, now: list[float] | None = None) -> Iterator[Batcher]:
    times = now or [0.0]
    running = Batcher(Queue(max_bytes_in_flight=1000), told, threads=threads, clock=lambda: times[0])
    try:
        yield running
    finally:
        running.close()


def test_a_batch_is_told_of_once_with_all_its_requests() -> None:
    told = Told()
    ran: list[list[Part]] = []
    group = Group("m", lambda parts: ran.append(list(parts)))
    with batcher(told) as running:
        requests = [Request(group, None, rows) for rows in (1, 2)]
        for request in requests:
            assert running.submit(request) is None
        assert running.run_next()
        assert not running.run_next()
    assert ran == [[(requests[0], 0, 1), (requests[1], 0, 2)]]
    assert told.calls == [(requests, BatchReport("m", 3, [0.0, 0.0], 0.0, False))]


def test_a_thread_runs_what_is_dispatched() -> None:
    told = Told()
    group = Group("m", lambda parts: None)
    with batcher(told, threads=1) as running:
        request = Request(group, None, 1)
        running.submit(request)
        running.dispatch()
        told.wait(1)
    assert told.calls[0][0] == [request]


def test_closing_runs_what_waits() -> None:
    told = Told()
    group = Group("m", lambda parts: None, BatchLimits(max_batch_size=1))
    with batcher(told, threads=1) as running:
        requests = [Request(group, None, 1) for _ in range(3)]
        for request in requests:
            running.submit(request)
    assert [ended for ended, _ in told.calls] == [[request] for request in requests]


def test_closing_waits_for_what_still_waits_for_company() -> None:
    told = Told()
    group = Group("m", lambda parts: None, BatchLimits(max_queue_delay_s=0.02))
    running = Batcher(Queue(max_bytes_in_flight=1000), told)
    request = Request(group, None, 1)
    running.submit(request)
    running.dispatch()
    running.close()
    assert [ended for ended, _ in told.calls] == [[request]]


def test_what_ran_past_the_queue_is_learned_from() -> None:
    group = Group("m", lambda parts: None)
    with batcher(Told()) as running:
        assert not running.may_pass(group, 1, 1.0)
        running.passed(group, 1, 0.5)
        assert running.may_pass(group, 1, 1.0)
        assert not running.may_pass(group, 2, 1.0)


def test_a_batch_that_raises_fails_its_requests_and_the_next_runs(caplog: pytest.LogCaptureFixture) -> None:
    told = Told()

    def run(parts: Sequence[Part]) -> None:
        if parts[0].request.payload == "bad":
            raise ZeroDivisionError("a bug")

    group = Group("m", run, BatchLimits(max_batch_size=1))
    with batcher(told, threads=1) as running:
        bad, good = Request(group, "bad", 1), Request(group, "good", 1)
        running.submit(bad)
        running.submit(good)
        running.dispatch()
        told.wait(2)
        assert running.is_alive
    assert [(ended, report and report.failed) for ended, report in told.calls] == [([bad], True), ([good], False)]
    assert isinstance(bad.problem, ZeroDivisionError)
    assert good.problem is None
    assert "ZeroDivisionError: a bug" in caplog.text


def test_requests_whose_time_is_over_are_told_of_without_a_batch() -> None:
    told = Told()
    now = [0.0]
    group = Group("m", lambda parts: None)
    with batcher(told, now=now) as running:
        late = Request(group, None, 1, deadline=1.0)
        running.submit(late)
        now[0] = 1.0
        assert running.run_next()
    assert told.calls == [([late], None)]


def test_many_threads_submit_withdraw_and_run_and_every_request_ends_once() -> None:
    told = Told()
    group = Group("m", lambda parts: None, BatchLimits(max_batch_size=8))
    accepted: list[Request] = []
    withdrawn: list[Request] = []
    with batcher(told, threads=3) as running:

        def submit(number: int) -> None:
            for turn in range(200):
                request = Request(group, None, 1 + turn % 11, size_bytes=1)
                if running.submit(request) is None:
                    accepted.append(request)
                    running.dispatch()
                    if turn % 7 == number and running.withdraw(request):
                        withdrawn.append(request)

        threads = [threading.Thread(target=submit, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    ended = [request for requests, _ in told.calls for request in requests]
    assert len(ended) == len(set(ended))
    assert set(ended) | set(withdrawn) == set(accepted)
    assert set(ended).isdisjoint(withdrawn)
    assert running.statistics == ({}, 0)
