"""Lines for requests: each failure is seen, and a flood of them does not fill the log."""

import logging

import pytest

from numbatch.serving.observability.request_log import BURST, RequestLog, level_of
from numbatch.wire.reasons import Reason
from support.reports import REQUEST

FAILED = REQUEST._replace(reason="SHAPE_MISMATCH", version=0)
OVERLOADED = REQUEST._replace(reason="SERVER_OVERLOADED", limit="max_queue_rows")


class Clock:
    """Tells the time that a test says."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", "numbatch.requests")
    return caplog


def test_a_failed_request_is_a_line_with_its_id_and_why(log: pytest.LogCaptureFixture) -> None:
    RequestLog().on_request(OVERLOADED)
    (record,) = log.records
    assert (record.levelname, record.name) == ("WARNING", "numbatch.requests")
    assert record.getMessage() == (
        "failed method=Infer model='digits' version=1 request_id='r-1' rows=4 seconds=0.002500 queue_s=0.001000 "
        "compute_s=0.000500 reason=SERVER_OVERLOADED limit=max_queue_rows"
    )
    assert isinstance(record.args, dict)
    assert (record.args["request_id"], record.args["reason"]) == ("r-1", "SERVER_OVERLOADED")


def test_requests_that_succeed_are_lines_at_debug_only(log: pytest.LogCaptureFixture) -> None:
    RequestLog().on_request(REQUEST)
    assert not log.records
    log.set_level("DEBUG", "numbatch.requests")
    for _ in range(2 * BURST):
        RequestLog().on_request(REQUEST)
    assert {record.levelname for record in log.records} == {"DEBUG"}
    assert len(log.records) == 2 * BURST
    assert log.messages[0].startswith("answered method=Infer model='digits' version=1 request_id='r-1' rows=4 ")


def test_at_debug_no_failure_is_left_out(log: pytest.LogCaptureFixture) -> None:
    log.set_level("DEBUG", "numbatch.requests")
    requests = RequestLog(Clock())
    for _ in range(2 * BURST):
        requests.on_request(FAILED)
    assert len(log.records) == 2 * BURST


def test_a_flood_of_one_reason_is_cut_and_another_reason_is_still_seen(log: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    requests = RequestLog(clock)
    for _ in range(1000):
        requests.on_request(OVERLOADED)
    assert len(log.records) == BURST
    requests.on_request(FAILED)
    assert log.messages[-1].endswith("reason=SHAPE_MISMATCH limit=")

    # A second later there is room for one more.
    clock.now = 1.0
    for _ in range(1000):
        requests.on_request(OVERLOADED)
    assert len(log.records) == BURST + 2

    # What was left out is told once.
    log.clear()
    requests.tell_suppressed()
    requests.tell_suppressed()
    assert log.messages == ["left out lines of failed requests reason=SERVER_OVERLOADED count=1989"]


def test_after_a_quiet_time_there_is_room_for_a_burst_and_no_more(log: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    requests = RequestLog(clock)
    requests.on_request(FAILED)
    log.clear()
    clock.now = 10_000.0
    for _ in range(1000):
        requests.on_request(FAILED)
    assert len(log.records) == BURST


@pytest.mark.parametrize("reason", Reason)
def test_what_an_operator_must_see_to_is_a_warning(reason: Reason) -> None:
    warnings = {
        Reason.MODEL_NOT_READY,
        Reason.SERVER_DRAINING,
        Reason.SERVER_UNREACHABLE,
        Reason.SERVER_OVERLOADED,
        Reason.MEMORY_LIMIT,
        Reason.STREAM_STALLED,
        Reason.UNAUTHENTICATED,
        Reason.PERMISSION_DENIED,
        Reason.INTERNAL,
    }
    assert level_of(reason) == (logging.WARNING if reason in warnings else logging.INFO)


def test_long_names_are_cut(log: pytest.LogCaptureFixture) -> None:
    RequestLog().on_request(FAILED._replace(model="m" * 10_000, request_id="r" * 10_000))
    assert len(log.messages[0]) < 600
