"""Callers who give up, at every moment of a request: each is counted once, and nothing is computed for nobody."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

import grpc
import numpy as np
import pytest

from numbatch.serving.observer import BatchReport, Observer, RequestReport
from support.aftermath import metrics, settled, total, unharmed_server
from support.gate import Gate
from support.raw_calls import INFER, RawCalls, infer_request, raw_calls, stream_request
from support.server import RunningServer, running_server
from support.tiny import tiny_model

MAX_BATCH = 8


class Told(Observer):
    """Counts how requests ended, and the rows that were computed, of the model that is held up."""

    def __init__(self) -> None:
        self.ended: Counter[str] = Counter()
        self.rows: list[int] = []

    def on_request(self, report: RequestReport) -> None:
        if report.model == "gated":
            self.ended[report.reason or "OK"] += 1

    def on_batch(self, report: BatchReport) -> None:
        if report.model == "gated":
            self.rows.append(report.rows)


class Scene(NamedTuple):
    """A server whose model "gated" waits at a gate, and who watches."""

    server: RunningServer
    calls: RawCalls
    gate: Gate
    told: Told

    def start(self, rows: int, timeout: float = 30) -> Any:
        """Start a call."""
        request = infer_request("gated", np.ones((rows, 2)))
        return self.calls.channel.unary_unary(INFER).future(request, timeout=timeout)

    def wait_waiting(self, requests: int) -> None:
        """Wait until so many requests wait or run."""
        address = self.server.server.http_address
        settled(lambda: total(metrics(address), "numbatch_in_flight_requests") == requests, f"{requests} in flight")

    def wait_ended(self, **ended: int) -> None:
        """Wait until so many requests have ended, and see that no other has."""
        settled(lambda: self.told.ended.total() >= sum(ended.values()), f"{ended}: {self.told.ended}")
        assert self.told.ended == ended


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    told = Told()
    models = [tiny_model(), tiny_model("gated")]
    with running_server(models, observer=told, http_listen="127.0.0.1:0", max_batch_size=MAX_BATCH) as server:
        gate = Gate(monkeypatch, "gated")
        with unharmed_server(server), raw_calls(server.address) as calls:
            yield Scene(server, calls, gate, told)
            gate.open()


def test_while_it_waits_it_leaves_its_place_to_others(scene: Scene) -> None:
    running = scene.start(1)
    scene.gate.wait_arrived()
    given_up, waiting = [scene.start(2) for _ in range(3)], [scene.start(1) for _ in range(MAX_BATCH)]
    scene.wait_waiting(12)
    for call in given_up:
        call.cancel()
    scene.wait_ended(CANCELLED=3)
    scene.wait_waiting(9)
    scene.gate.open()
    assert len([call.result() for call in (running, *waiting)]) == 9
    scene.wait_ended(CANCELLED=3, OK=9)
    assert scene.told.rows == [1, MAX_BATCH]


def test_while_it_is_computed_with_others_they_are_answered(scene: Scene) -> None:
    running = scene.start(1)
    scene.gate.wait_arrived()
    running.cancel()
    scene.wait_ended(CANCELLED=1)
    scene.wait_waiting(1)  # its memory is in use
    other = scene.start(1)
    scene.wait_waiting(2)
    scene.gate.open()
    assert other.result()
    scene.wait_ended(CANCELLED=1, OK=1)
    assert scene.told.rows == [1, 1]


def test_while_it_is_computed_in_pieces_no_further_piece_is(scene: Scene) -> None:
    large = scene.start(5 * MAX_BATCH)
    scene.gate.wait_arrived()
    large.cancel()
    scene.wait_ended(CANCELLED=1)
    scene.gate.open()
    settled(lambda: len(scene.told.rows) == 1, "the piece that ran")
    assert scene.start(1).result()
    assert scene.told.rows == [MAX_BATCH, 1]


def test_while_answers_are_sent_each_request_of_a_stream_is_counted_once(scene: Scene) -> None:
    scene.gate.open()
    sent = 0
    done = threading.Event()

    def requests() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield stream_request("gated", np.ones((2**15, 2)))
        done.wait(20)

    stream = scene.calls.stream(requests())
    next(stream)
    stream.cancel()
    done.set()
    address = scene.server.server.http_address
    settled(lambda: total(metrics(address), "numbatch_open_streams") == 0, "the stream ends")
    assert set(scene.told.ended) <= {"OK", "CANCELLED"}
    assert 1 <= scene.told.ended.total() <= sent


def test_when_it_is_answered_already_it_is_not_counted_again(scene: Scene) -> None:
    scene.gate.open()
    for _ in range(50):
        call = scene.start(1)
        call.result()
        call.cancel()
    scene.wait_ended(OK=50)


def test_deadlines_that_pass_while_requests_wait_are_counted_once_and_nothing_is_computed(scene: Scene) -> None:
    running = scene.start(1)
    scene.gate.wait_arrived()
    late = [scene.start(1, timeout=0.5) for _ in range(20)]
    scene.wait_waiting(21)
    assert {call.exception().code() for call in late} == {grpc.StatusCode.DEADLINE_EXCEEDED}
    settled(lambda: scene.told.ended.total() == 20, str(scene.told.ended))
    scene.gate.open()
    assert running.result()
    assert set(scene.told.ended) <= {"CANCELLED", "DEADLINE_EXCEEDED", "OK"}
    assert (scene.told.ended["OK"], scene.told.ended.total(), scene.told.rows) == (1, 21, [1])


def test_deadlines_too_short_for_anything_leave_nothing_behind(scene: Scene) -> None:
    scene.gate.open()
    calls = [scene.start(1, timeout=0.001) for _ in range(300)]
    codes = {call.code() for call in calls if call.exception() is not None}
    # The second: refused at once, as it would not be answered in time.
    assert codes <= {grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
