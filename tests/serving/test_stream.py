"""StreamInfer over gRPC: order, windows, bad items, ends."""

import queue
from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from numbatch.wire.errors import NumbatchError
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array
from support.manual_compute import ManualCompute
from support.raw_calls import RawCalls, error_of, raw_calls, read_streamed, stream_request
from support.server import running_server
from support.tiny import tiny_model


class Requests:
    """Requests that are sent when the test says so; how many gRPC has taken can be seen."""

    def __init__(self) -> None:
        self._queue: queue.Queue[bytes | None] = queue.Queue()

    def send(self, *requests: bytes) -> None:
        for request in requests:
            self._queue.put(request)

    def finish(self) -> None:
        self._queue.put(None)

    def __iter__(self) -> Iterator[bytes]:
        while (request := self._queue.get(timeout=20)) is not None:
            yield request


def one(number: int) -> bytes:
    return stream_request("tiny", [number, number], request_id=str(number))


def summary(outcome: tuple[str, Array | NumbatchError]) -> tuple[str, object]:
    request_id, answer = outcome
    return request_id, answer.reason if isinstance(answer, NumbatchError) else answer.tolist()


def test_answers_come_in_the_order_of_requests(calls: RawCalls) -> None:
    answers = [summary(read_streamed(data)) for data in calls.stream(one(number) for number in range(100))]
    assert answers == [(str(number), [2 * number] * 2) for number in range(100)]


def test_a_stream_without_requests_ends_well(calls: RawCalls) -> None:
    assert list(calls.stream([])) == []


def test_a_bad_request_is_answered_in_its_place_and_the_stream_goes_on(calls: RawCalls) -> None:
    requests = [
        one(1),
        b"\xff\xff",
        stream_request("tinny", [1, 1], request_id="unknown model"),
        stream_request("tiny", [1, 1, 1], request_id="wrong shape"),
        stream_request("tiny", np.zeros((0, 2)), request_id="empty"),
        b"",
        one(2),
    ]
    assert [summary(read_streamed(data)) for data in calls.stream(requests)] == [
        ("1", [2, 2]),
        ("", Reason.MALFORMED_MESSAGE),
        ("unknown model", Reason.MODEL_NOT_FOUND),
        ("wrong shape", Reason.SHAPE_MISMATCH),
        ("empty", Reason.EMPTY_BATCH),
        ("", Reason.INVALID_FIELD),
        ("2", [4, 4]),
    ]


def test_an_error_on_a_stream_has_the_details_of_any_error(calls: RawCalls) -> None:
    (data,) = calls.stream([stream_request("tiny", [1, 2, 3], request_id="r-1")])
    _, refused = read_streamed(data)
    assert isinstance(refused, NumbatchError)
    assert (refused.field, refused.model, refused.request_id) == ("inputs[0].shape", "tiny", "r-1")
    assert refused.message == "inputs[0].shape: got [3], expected [..., 2]"


def test_a_request_over_the_limit_ends_the_stream(calls: RawCalls) -> None:
    requests = Requests()
    answers = calls.stream(requests)
    requests.send(one(1))
    assert summary(read_streamed(next(answers)))[0] == "1"
    requests.send(stream_request("tiny", np.zeros((9000, 2))))
    with pytest.raises(grpc.RpcError) as refused:
        next(answers)
    # gRPC refuses it before it has read it, so there is no request to answer: the stream cannot go on.
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    requests.finish()
    assert calls.health() == "SERVING"


def test_an_answer_over_the_limit_is_refused_and_the_stream_goes_on(calls: RawCalls) -> None:
    answers = calls.stream([stream_request("tiny", np.zeros((8175, 2)), request_id="x" * 100), one(1)])
    assert [summary(read_streamed(data)) for data in answers] == [("x" * 100, Reason.MESSAGE_TOO_LARGE), ("1", [2, 2])]


def test_a_bug_on_a_stream_is_internal_and_the_stream_goes_on() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        answers = calls.stream([one(1), one(2)])
        compute.next_job().fail(ZeroDivisionError("secret"))
        compute.next_job().run()
        assert [summary(read_streamed(data)) for data in answers] == [("1", Reason.INTERNAL), ("2", [4, 4])]


def test_an_answer_that_is_ready_early_waits_for_those_before_it() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        answers = calls.stream([one(1), one(2)])
        first, second = compute.next_job(), compute.next_job()
        second.run()
        first.run()
        assert [summary(read_streamed(data))[0] for data in answers] == ["1", "2"]


def test_only_a_window_of_requests_is_read_before_the_first_is_answered() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute, stream_window=3) as server, raw_calls(server.address) as calls:
        answers = calls.stream(one(number) for number in range(5))
        jobs = [compute.next_job() for _ in range(3)]
        # Another call on the same connection is answered: the server has had its turn to read more, and has not.
        calls.list_models()
        assert compute.waiting == 0
        jobs[0].run()
        assert summary(read_streamed(next(answers)))[0] == "0"
        jobs.append(compute.next_job())
        assert compute.waiting == 0
        for job in jobs[1:]:
            job.run()
        compute.next_job().run()
        assert [summary(read_streamed(data))[0] for data in answers] == ["1", "2", "3", "4"]


def test_no_request_is_read_beyond_the_bytes_of_the_window() -> None:
    compute = ManualCompute()
    requests = [stream_request("tiny", np.ones((200, 2)), request_id=str(number)) for number in range(4)]
    with (
        running_server([tiny_model()], compute=compute, stream_window_bytes=len(requests[0]) + 1) as server,
        raw_calls(server.address) as calls,
    ):
        answers = calls.stream(requests)
        jobs = [compute.next_job() for _ in range(2)]  # the second was read while there was room
        calls.list_models()
        assert compute.waiting == 0
        jobs[0].run()
        assert read_streamed(next(answers))[0] == "0"
        jobs.append(compute.next_job())
        assert compute.waiting == 0
        for job in jobs[1:]:
            job.run()
        compute.next_job().run()
        assert [read_streamed(data)[0] for data in answers] == ["1", "2", "3"]


def test_streams_that_are_open_and_idle_hinder_nobody_and_answer_when_asked(calls: RawCalls) -> None:
    idle = [Requests() for _ in range(100)]
    streams = [calls.stream(requests) for requests in idle]
    assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
    for number, (requests, answers) in enumerate(zip(idle, streams, strict=True)):
        requests.send(one(number))
        requests.finish()
        assert [summary(read_streamed(data))[0] for data in answers] == [str(number)]


def test_work_of_a_cancelled_stream_never_runs() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        requests = Requests()
        answers = calls.stream(requests)
        requests.send(one(1), one(2), one(3))
        jobs = [compute.next_job() for _ in range(3)]
        answers.cancel()
        for job in jobs:
            job.wait_cancelled()
            assert not job.run()
        requests.finish()


def test_the_deadline_of_a_stream_ends_it() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        calls.health()  # it is connected: the deadline is that of the request alone
        answers = calls.stream([one(1)], timeout=1)
        with pytest.raises(grpc.RpcError) as late:
            next(answers)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        compute.next_job().wait_cancelled()


def test_many_streams_at_once_do_not_mix(calls: RawCalls) -> None:
    parts = [range(first, first + 20) for first in range(0, 160, 20)]
    streams = [calls.stream(map(one, part)) for part in parts]
    for part, answers in zip(parts, streams, strict=True):
        assert [summary(read_streamed(data))[0] for data in answers] == [str(number) for number in part]


def test_an_open_stream_is_ended_when_the_server_drains_after_its_answers() -> None:
    compute = ManualCompute()
    with (
        running_server([tiny_model()], compute=compute, shutdown_grace_s=20.0) as server,
        raw_calls(server.address) as calls,
    ):
        requests = Requests()
        answers = calls.stream(requests)
        requests.send(one(1), one(2))
        jobs = [compute.next_job(), compute.next_job()]
        stopping = server.start(server.server.stop())
        assert not stopping.done()
        for job in jobs:
            job.run()
        assert [summary(read_streamed(next(answers)))[0] for _ in jobs] == ["1", "2"]
        with pytest.raises(grpc.RpcError) as ended:
            next(answers)
        assert error_of(ended.value).reason is Reason.SERVER_DRAINING
        requests.finish()
        stopping.result(10)
