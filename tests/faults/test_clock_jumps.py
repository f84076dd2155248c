"""The wall clock is set, an hour forward or back: deadlines and delays go by another one."""

import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.batching import Batcher, Refusal, Request
from support.aftermath import metrics, settled, total, unharmed_server
from support.gate import Gate
from support.raw_calls import INFER, RawCalls, infer_request, raw_calls
from support.server import RunningServer, running_server
from support.tiny import tiny_model

HOUR_S = 3600


class WallClock:
    """The wall clock as Python code sees it, which can be set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now, now_ns = time.time, time.time_ns
        self.ahead_s = 0
        monkeypatch.setattr(time, "time", lambda: now() + self.ahead_s)
        monkeypatch.setattr(time, "time_ns", lambda: now_ns() + self.ahead_s * 10**9)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> WallClock:
    return WallClock(monkeypatch)


@pytest.fixture
def server() -> Iterator[RunningServer]:
    models = [tiny_model(), tiny_model("gated")]
    with running_server(models, http_listen="127.0.0.1:0", max_queue_delay_us=100_000) as running:
        yield running


@pytest.fixture
def calls(server: RunningServer) -> Iterator[RawCalls]:
    with unharmed_server(server), raw_calls(server.address) as calls:
        yield calls


def start(calls: RawCalls, model: str, timeout: float) -> Any:
    request = infer_request(model, np.ones((1, 2)))
    return calls.channel.unary_unary(INFER).future(request, timeout=timeout)


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S])
def test_requests_that_wait_have_the_time_that_their_callers_gave_them(
    server: RunningServer, calls: RawCalls, clock: WallClock, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    gate = Gate(monkeypatch, "gated")
    http = server.server.http_address
    running = start(calls, "gated", 60)
    gate.wait_arrived()
    long, short = start(calls, "gated", 60), start(calls, "gated", 1)
    settled(lambda: total(metrics(http), "numbatch_in_flight_requests") == 3, "all are in flight")
    clock.ahead_s = ahead_s
    assert short.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert not long.done()
    settled(lambda: total(metrics(http), "numbatch_in_flight_requests") == 2, "the short one is let go of")
    gate.open()
    assert running.result()
    assert long.result()
    clock.ahead_s = 0


@pytest.mark.parametrize("ahead_s", [HOUR_S, -HOUR_S])
def test_a_delayed_batch_runs_when_its_delay_is_over(
    calls: RawCalls, clock: WallClock, monkeypatch: pytest.MonkeyPatch, ahead_s: int
) -> None:
    submit = Batcher.submit

    def submit_and_set(self: Batcher, request: Request) -> Refusal | None:
        refusal = submit(self, request)
        clock.ahead_s = ahead_s  # while it waits for others to run with
        return refusal

    with monkeypatch.context() as at_that_moment:
        at_that_moment.setattr(Batcher, "submit", submit_and_set)
        assert start(calls, "tiny", 20).result()
        assert clock.ahead_s == ahead_s
    clock.ahead_s = 0
