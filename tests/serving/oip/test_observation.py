"""What metrics, logs and traces are told of requests over the protocol: the same as of those of numbatch."""

import pytest

from numbatch.serving.observer import Observer, RequestReport
from numbatch.serving.work import Work
from numbatch.wire.reasons import Reason
from support.http import get
from support.oip import model_infer, request, stream
from support.raw_calls import raw_calls, refusal
from support.reports import samples
from support.server import running_server
from support.tiny import tiny_model


class Told(Observer):
    """Keeps what it is told of requests."""

    def __init__(self) -> None:
        self.requests: list[RequestReport] = []

    def on_request(self, report: RequestReport) -> None:
        self.requests.append(report)


def test_every_request_is_told_of_once_with_its_method_and_service() -> None:
    told = Told()
    with running_server([tiny_model()], observer=told) as server, raw_calls(server.address) as calls:
        message = request("tiny", [[1, 1]] * 3, id="r-1")
        response = model_infer(calls, message)
        refusal(lambda: model_infer(calls, request("tiny", [1, 1, 1], version="1", id="r-2")))
        stream(calls, [request("tiny", [1, 1], id="r-3"), request("tinny", [1, 1], id="r-4")])
    assert {report.service for report in told.requests} == {"inference.GRPCInferenceService"}
    assert [
        (report.method, report.model, report.version, report.request_id, report.rows, report.reason)
        for report in told.requests
    ] == [
        ("ModelInfer", "tiny", 1, "r-1", 3, ""),
        ("ModelInfer", "tiny", 1, "r-2", 0, Reason.SHAPE_MISMATCH),
        ("ModelStreamInfer", "tiny", 1, "r-3", 1, ""),
        ("ModelStreamInfer", "tinny", 0, "r-4", 0, Reason.MODEL_NOT_FOUND),
    ]
    first = told.requests[0]
    assert (first.request_bytes, first.response_bytes) == (message.ByteSize(), response.ByteSize())


def test_metrics_count_them_under_their_methods() -> None:
    with running_server([tiny_model()], http_listen="127.0.0.1:0") as server, raw_calls(server.address) as calls:
        model_infer(calls, request("tiny", [1, 1]))
        stream(calls, [request("tiny", [1, 1])] * 2)
        found = samples(get(server.server.http_address, "/metrics").text, ["numbatch_requests_total"])
    assert {labels: value for (_, labels), value in found.items()} == {
        ("ModelInfer", "tiny", "OK", "1"): 1,
        ("ModelStreamInfer", "tiny", "OK", "1"): 2,
    }


@pytest.mark.parametrize("request_id", ["", "x" * 128])
def test_an_id_comes_back_whole(request_id: str) -> None:
    with running_server([tiny_model()]) as server, raw_calls(server.address) as calls:
        assert model_infer(calls, request("tiny", [1, 1], id=request_id)).id == request_id


def test_work_that_could_not_be_started_keeps_no_traceback() -> None:
    """It would lead back to the work: a cycle for each request that is refused."""
    work = Work(None, Observer(), "ModelStreamInfer", 10)  # type: ignore[arg-type]
    try:
        raise ZeroDivisionError
    except ZeroDivisionError as bug:
        work.put_off(bug)
    assert work.problem is not None
    assert (work.problem.reason, work.problem.__traceback__) == (Reason.INTERNAL, None)
