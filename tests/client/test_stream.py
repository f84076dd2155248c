"""Many minibatches on one stream: one result for each, in order, whatever happens to the others."""

import threading
from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.client import (
    Client,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    MessageTooLargeError,
    NumbatchError,
    Reason,
    UnavailableError,
)
from numbatch.v1.inference_pb2 import StreamInferRequest, StreamInferResponse
from numbatch.wire.errors import error
from support.both_clients import Bench
from support.fake_server import STREAM_INFER, FakeServer, answer_streamed, refuse_streamed, wait_for_the_end


def minibatches(n: int) -> list[Any]:
    return [np.full((1 + i % 3, 2), i, np.float32) for i in range(n)]


def test_results_come_in_the_order_of_the_minibatches(bench: Bench) -> None:
    results = bench.client(bench.server()).stream("double", minibatches(50))
    assert [result.tolist() for result in results] == [(2 * x).tolist() for x in minibatches(50)]


def test_no_minibatches_give_no_results_and_no_error(bench: Bench) -> None:
    assert bench.client(bench.server()).stream("double", []) == []
    assert bench.client("127.0.0.1:1").stream("double", []) == []  # not even where there is no server


def test_layers_are_named_once_for_all(bench: Bench) -> None:
    results = bench.client(bench.server()).stream("double", minibatches(3), layers=["once"])
    assert [list(result) for result in results] == [["once"]] * 3


def test_every_request_has_an_id_of_its_own(bench: Bench) -> None:
    ids = list[str]()

    def note_ids(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for request in requests:
            ids.append(StreamInferRequest.FromString(request).request.request_id)
            yield answer_streamed(request)

    bench.client(bench.server({STREAM_INFER: note_ids})).stream("double", minibatches(5))
    assert len(set(ids)) == 5
    assert all(ids)


# What goes wrong with one minibatch.


def refuse_the_third(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
    for i, request in enumerate(requests):
        refusal = error(Reason.UNKNOWN_LAYER, "as planned")
        yield refuse_streamed(request, refusal) if i == 2 else answer_streamed(request)


def test_an_error_is_raised_at_its_place(bench: Bench) -> None:
    with pytest.raises(InvalidArgumentError, match="as planned") as refused:
        bench.client(bench.server({STREAM_INFER: refuse_the_third})).stream("double", minibatches(5))
    assert (refused.value.reason, refused.value.model) == (Reason.UNKNOWN_LAYER, "double")
    assert refused.value.request_id


def test_an_error_is_given_at_its_place_and_the_stream_goes_on(bench: Bench) -> None:
    client = bench.client(bench.server({STREAM_INFER: refuse_the_third}))
    results = client.stream("double", minibatches(5), return_exceptions=True)
    assert [isinstance(result, NumbatchError) for result in results] == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ([["a", "b"]], Reason.DATA_TYPE_MISMATCH),
        (np.empty((0, 2)), Reason.EMPTY_BATCH),
        ([[1, 2, 3]], Reason.SHAPE_MISMATCH),  # known from the metadata
        (np.ones((200, 2)), Reason.MESSAGE_TOO_LARGE),
    ],
)
def test_what_the_client_refuses_is_not_sent_and_keeps_its_place(bench: Bench, wrong: Any, reason: Reason) -> None:
    received = list[bytes]()

    def note(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for request in requests:
            received.append(request)
            yield answer_streamed(request)

    client = bench.client(bench.server({STREAM_INFER: note}), max_message_bytes=1000)
    client.call("get_metadata", "double")
    first, second, third = client.stream("double", [[1, 2], wrong, [3, 4]], return_exceptions=True)
    assert (first.tolist(), second.reason, third.tolist()) == ([2, 4], reason, [6, 8])
    assert second.request_id
    assert len(received) == 2


def test_more_refused_minibatches_than_the_window_do_not_stop_the_stream(bench: Bench) -> None:
    source = [["text"]] * 10 + [[1, 2]]
    results = bench.client(bench.server()).stream("double", source, window=2, return_exceptions=True)
    assert results[-1].tolist() == [2, 4]
    assert len(results) == 11


# What goes wrong with the source.


def failing_source() -> Iterator[Any]:
    yield [1, 2]
    raise LookupError("the file ended early")


@pytest.mark.parametrize("return_exceptions", [False, True])
def test_what_the_source_raises_ends_the_stream(bench: Bench, return_exceptions: bool) -> None:
    with pytest.raises(LookupError, match="the file ended early"):
        bench.client(bench.server()).stream("double", failing_source(), return_exceptions=return_exceptions)


def test_the_results_before_that_are_given_first() -> None:
    with FakeServer() as server, Client(server.address) as client:
        stream = client.stream("double", failing_source())
        assert next(stream).tolist() == [2, 4]
        with pytest.raises(LookupError):
            next(stream)


# What goes wrong with the stream itself.


def test_a_stream_that_the_server_ends_early_is_an_error(bench: Bench) -> None:
    def one_answer(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        yield answer_streamed(next(requests))

    with pytest.raises(InternalError, match="ended the stream before it had answered every request"):
        bench.client(bench.server({STREAM_INFER: one_answer})).stream("double", minibatches(3))


def test_a_stream_that_breaks_is_an_error_even_where_errors_are_results(bench: Bench) -> None:
    def answer_then_break(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield answer_streamed(next(requests))
        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    with pytest.raises(UnavailableError, match=r"no connection to .*: Socket closed") as broken:
        bench.client(bench.server({STREAM_INFER: answer_then_break})).stream(
            "double", minibatches(3), return_exceptions=True, reconnect=False
        )
    assert broken.value.reason is Reason.SERVER_UNREACHABLE


def test_a_stream_that_breaks_while_the_source_is_silent_is_noticed() -> None:
    done = threading.Event()

    def source() -> Iterator[Any]:
        yield [1, 2]
        done.wait(30)  # nothing more comes before the test ends

    def answer_then_break(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield answer_streamed(next(requests))
        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    with FakeServer({STREAM_INFER: answer_then_break}) as server, Client(server.address) as client:
        stream = client.stream("double", source(), reconnect=False)
        assert next(stream).tolist() == [2, 4]
        with pytest.raises(UnavailableError):
            next(stream)
        done.set()


def test_an_answer_to_another_request_is_a_bug(bench: Bench) -> None:
    def confuse(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for request in requests:
            answer = StreamInferResponse.FromString(answer_streamed(request))
            answer.request_id = "another"
            yield answer.SerializeToString()

    with pytest.raises(InternalError, match="an answer to another request: got 'another'"):
        bench.client(bench.server({STREAM_INFER: confuse})).stream("double", minibatches(1), return_exceptions=True)


def test_an_answer_that_cannot_be_read_is_a_bug(bench: Bench) -> None:
    client = bench.client(bench.server({STREAM_INFER: lambda requests, _: (b"\xff" for _ in requests)}))
    with pytest.raises(InternalError, match="the server's answer cannot be read"):
        client.stream("double", minibatches(1), return_exceptions=True)


def answer_two_then_nothing(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
    yield from map(answer_streamed, islice(requests, 2))
    wait_for_the_end(context)


def test_a_silent_server_is_given_up(bench: Bench) -> None:
    client = bench.client(bench.server({STREAM_INFER: answer_two_then_nothing}))
    with pytest.raises(DeadlineExceededError, match=r"no answer on the stream from .* within 0.2 s") as overdue:
        client.stream("double", minibatches(3), timeout=0.2, return_exceptions=True)
    assert overdue.value.request_id


# The window.


def test_a_window_of_minibatches_is_sent_ahead(bench: Bench) -> None:
    def four_at_a_time(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        while four := list(islice(requests, 4)):
            yield from map(answer_streamed, four)

    client = bench.client(bench.server({STREAM_INFER: four_at_a_time}))
    assert len(client.stream("double", minibatches(8), window=4)) == 8


@pytest.mark.parametrize("window", [1, 4])
def test_no_more_than_a_window_is_unanswered(window: int) -> None:
    taken = list[int]()

    def source() -> Iterator[Any]:
        for i in range(20):
            taken.append(i)
            yield [i, i]

    with FakeServer() as server, Client(server.address) as client:
        for answered, _ in enumerate(client.stream("double", source(), window=window), start=1):
            assert len(taken) <= answered + window


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_of_nothing_is_refused_at_once(bench: Bench, window: int) -> None:
    with pytest.raises(InvalidArgumentError, match="window: got .*, expected 1 or more"):
        bench.client(bench.server()).stream("double", [], window=window)


# The end.


def test_leaving_the_loop_cancels_the_stream() -> None:
    with FakeServer() as server, Client(server.address) as client:
        for result in client.stream("double", ([i, i] for i in count())):
            assert result.tolist() == [0, 0]
            break
        assert server.ended[STREAM_INFER].wait(10)


def test_a_stream_that_ends_is_not_cancelled(bench: Bench) -> None:
    ended_by_client = list[bool]()

    def observe(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield from map(answer_streamed, requests)
        ended_by_client.append(context.is_active())

    bench.client(bench.server({STREAM_INFER: observe})).stream("double", minibatches(3))
    assert ended_by_client == [True]


def test_a_stream_leaves_no_thread_behind() -> None:
    with FakeServer() as server, Client(server.address) as client:
        list(client.stream("double", minibatches(3)))
        watchdogs = [thread for thread in threading.enumerate() if thread.name == "numbatch-stream-watchdog"]
        for watchdog in watchdogs:
            watchdog.join(10)
        assert not any(watchdog.is_alive() for watchdog in watchdogs)


def test_errors_over_the_servers_limit_say_so(bench: Bench) -> None:
    client = bench.client(bench.server(max_message_bytes=1000))
    with pytest.raises(MessageTooLargeError, match="limit of the server"):
        client.stream("double", [np.ones((200, 2))])
