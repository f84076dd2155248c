"""Requests over HTTP that end otherwise: given up, refused, too late, or while the server ends."""

import asyncio
import gc
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from numbatch.batching import Refusal
from numbatch.serving.observer import Observer, RequestReport
from support.manual_compute import ManualCompute
from support.reports import samples
from support.rest import Reply, Rest, tensor
from support.server import RunningServer, running_server
from support.tiny import tiny_model

GOOD = {"id": "mine", "inputs": [tensor("input", [[1, 2]])]}


class Reports(Observer):
    """Keeps what was reported."""

    def __init__(self) -> None:
        self.all: list[RequestReport] = []

    def on_request(self, report: RequestReport) -> None:
        self.all.append(report)


@pytest.fixture
def compute() -> ManualCompute:
    return ManualCompute()


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def server(compute: ManualCompute, reports: Reports) -> Iterator[RunningServer]:
    with running_server([tiny_model()], http_listen="127.0.0.1:0", compute=compute, observer=reports) as running:
        yield running


def _infer(server: RunningServer) -> Reply:
    return Rest(server.server.http_address).infer("tiny", GOOD)


def test_a_caller_that_goes_away_is_not_computed_for(
    server: RunningServer, compute: ManualCompute, reports: Reports
) -> None:
    body = json.dumps(GOOD).encode()
    host, _, port = server.server.http_address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body))
        connection.sendall(body)
        job = compute.next_job()
    job.wait_cancelled()
    assert not job.run()
    server.run(asyncio.sleep(0))  # whoever let go of it has told so
    (report,) = reports.all
    assert (report.reason, report.method, report.request_id) == ("CANCELLED", "HttpInfer", "mine")


def test_what_there_is_no_room_for_is_told_when_to_come_again(server: RunningServer, compute: ManualCompute) -> None:
    compute.refusal = Refusal("max_queued_rows", 11, 10, 0.02)
    reply = _infer(server)
    assert reply.problem[:2] == (503, "SERVER_OVERLOADED")
    assert reply.headers["Retry-After"] == "1"
    assert reply.problem[2].startswith("max_queued_rows: too much waits already: got 11 with this request")


def test_what_failed_is_told_without_its_secrets(server: RunningServer, compute: ManualCompute) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_infer, server)
        compute.next_job().fail(RuntimeError("of nobody's business"))
        assert answer.result(20).problem == (
            500,
            "INTERNAL",
            "the batch that the request was in failed; the server's log says more",
        )


def test_what_waits_too_long_is_told_so(server: RunningServer, compute: ManualCompute) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_infer, server)
        compute.next_job().expire()
        assert answer.result(20).problem[:2] == (504, "DEADLINE_EXCEEDED")


def test_the_end_waits_for_what_was_accepted_and_refuses_what_comes(
    server: RunningServer, compute: ManualCompute
) -> None:
    address = server.server.http_address
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_infer, server)
        job = compute.next_job()
        assert samples(Rest(address).get("/metrics").body.decode())["numbatch_calls_in_progress", ()] == 1
        stopping = server.start(server.server.stop(20))
        server.run(asyncio.sleep(0))  # the loop has begun to stop the server
        refused = _infer(server)
        assert refused.problem[:2] == (503, "SERVER_DRAINING")
        assert refused.headers["Connection"] == "close"
        assert Rest(address).get("/v2/health/ready").status == 503
        assert Rest(address).get("/v2/health/live").status == 200
        server.loop.call_soon_threadsafe(job.run)
        assert answer.result(20).output("positive").tolist() == [[2, 4]]
        stopping.result(20)


def test_the_end_does_not_wait_longer_than_it_may(server: RunningServer, compute: ManualCompute) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_infer, server)
        job = compute.next_job()
        server.run(server.server.stop(0))
        job.wait_cancelled()
        with pytest.raises(OSError):
            answer.result(20)


def test_what_a_refused_request_brought_is_let_go_at_once(server: RunningServer) -> None:
    rest, telling = Rest(server.server.http_address), 9973
    gc.collect()
    gc.disable()  # which would find it later
    try:
        assert rest.infer("tiny", {"inputs": [tensor("input", list(range(telling)), shape=[1, 2])]}).status == 400
        assert not [each for each in gc.get_objects() if type(each) is list and len(each) == telling]
    finally:
        gc.enable()


def test_a_request_is_reported(server: RunningServer, compute: ManualCompute, reports: Reports) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_infer, server)
        compute.next_job().run()
        reply = answer.result(20)
    server.run(asyncio.sleep(0))
    (report,) = reports.all
    assert (report.rows, report.model, report.version, report.reason) == (1, "tiny", 1, "")
    assert (report.service, report.method) == ("HTTP", "HttpInfer")
    assert (report.request_bytes, report.response_bytes) == (len(json.dumps(GOOD)), len(reply.body))
