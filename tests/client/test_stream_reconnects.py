"""Streams that break: another call takes over, and each minibatch has one result, at its place."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.client import Client, NumbatchError, Reason, RequestCancelledError, UnauthenticatedError, UnavailableError
from numbatch.v1.inference_pb2 import StreamInferRequest
from numbatch.wire.errors import error
from support.both_clients import Bench
from support.fake_server import STREAM_INFER, FakeServer, answer_streamed, refuse, refuse_streamed, wait_for_the_end

Method = Callable[[Iterator[bytes], Any], Iterator[bytes]]
DRAINING = error(Reason.SERVER_DRAINING, "shutting down")


def minibatches(n: int) -> list[Any]:
    return [np.full((1 + i % 3, 2), i, np.float32) for i in range(n)]


def results_of(n: int) -> list[Any]:
    return [(2 * x).tolist() for x in minibatches(n)]


def ids(requests: list[bytes]) -> list[str]:
    return [StreamInferRequest.FromString(request).request.request_id for request in requests]


def lose_the_connection(context: Any) -> None:
    context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


def drain(context: Any) -> None:
    refuse(DRAINING)(b"", context)


def then_answer_all(first: Method, received: list[list[bytes]]) -> Method:
    """Make a method of which the first call runs `first`; the requests of each call are noted."""

    def method(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        mine = list[bytes]()
        received.append(mine)

        def noted() -> Iterator[bytes]:
            for request in requests:
                mine.append(request)
                yield request

        return first(noted(), context) if len(received) == 1 else map(answer_streamed, noted())

    return method


@pytest.mark.parametrize("end", [lose_the_connection, drain])
def test_what_is_unanswered_is_sent_again_in_order_and_what_was_answered_is_not(
    bench: Bench, end: Callable[[Any], None]
) -> None:
    def answer_three_of_five(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        five = list(islice(requests, 5))
        yield from map(answer_streamed, five[:3])
        end(context)

    received = list[list[bytes]]()
    client = bench.client(bench.server({STREAM_INFER: then_answer_all(answer_three_of_five, received)}))
    results = client.stream("double", minibatches(20), window=5)
    assert [result.tolist() for result in results] == results_of(20)
    first, second = received
    answered, unanswered = ids(first)[:3], ids(first)[3:5]
    assert ids(second)[:2] == unanswered
    assert len(answered + ids(second)) == len(set(answered + ids(second))) == 20  # each once but for those two


def test_an_answer_that_the_server_drains_is_no_result(bench: Bench) -> None:
    # Its grace period was over before it came to the second one.
    def cancel_the_second(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        first, second = islice(requests, 2)
        yield answer_streamed(first)
        yield refuse_streamed(second, DRAINING)
        wait_for_the_end(context)

    received = list[list[bytes]]()
    client = bench.client(bench.server({STREAM_INFER: then_answer_all(cancel_the_second, received)}))
    results = client.stream("double", minibatches(4), return_exceptions=True)
    assert [result.tolist() for result in results] == results_of(4)


def test_a_server_that_was_restarted_goes_on_with_the_stream(bench: Bench) -> None:
    first, got = bench.server(), list[Any]()

    def source() -> Iterator[Any]:
        for i, x in enumerate(minibatches(30)):
            if i == 15:  # in the middle, with minibatches on their way
                first.stop()
                bench.server(address=first.address)
            yield x

    got = bench.client(first).stream("double", source(), window=4)
    assert [result.tolist() for result in got] == results_of(30)


def test_a_stream_is_not_held_up_by_a_source_that_gives_nothing_more() -> None:
    # The thread of the first call waits in the source for ever; what is unanswered is sent by another one.
    done = threading.Event()

    def source() -> Iterator[Any]:
        yield from minibatches(2)
        done.wait(30)

    def break_at_the_second(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        first, _ = islice(requests, 2)
        yield answer_streamed(first)
        lose_the_connection(context)

    received = list[list[bytes]]()
    with FakeServer({STREAM_INFER: then_answer_all(break_at_the_second, received)}) as server:
        with Client(server.address) as client:
            stream = client.stream("double", source())
            assert [next(stream).tolist(), next(stream).tolist()] == results_of(2)
            done.set()
            assert list(stream) == []
    assert [len(requests) for requests in received] == [2, 1]


def test_a_call_that_breaks_with_nothing_unanswered_is_replaced_before_there_is() -> None:
    replaced = threading.Event()

    def source() -> Iterator[Any]:
        first, second = minibatches(2)
        yield first
        assert replaced.wait(10)
        yield second

    def break_when_all_is_answered(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield answer_streamed(next(requests))
        lose_the_connection(context)

    def method(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        calls.append(1)
        if len(calls) == 1:
            return break_when_all_is_answered(requests, context)
        replaced.set()
        return map(answer_streamed, requests)

    calls = list[int]()
    with FakeServer({STREAM_INFER: method}) as server, Client(server.address) as client:
        assert [result.tolist() for result in client.stream("double", source())] == results_of(2)
    assert len(calls) == 2


def test_a_connection_that_has_reached_its_age_is_replaced() -> None:
    def source() -> Iterator[Any]:
        first, second = minibatches(2)
        yield first
        assert server.ended[STREAM_INFER].wait(20)  # cut off, with its connection
        yield second

    with FakeServer(max_connection_age_ms=50, max_connection_age_grace_ms=50) as server:
        with Client(server.address) as client:
            assert [result.tolist() for result in client.stream("double", source())] == results_of(2)
    assert len(server.calls) >= 2


def test_a_server_that_is_gone_for_good_ends_the_stream(bench: Bench) -> None:
    server = bench.server()

    def source() -> Iterator[Any]:
        yield from minibatches(3)
        server.stop()
        yield from minibatches(3)

    with pytest.raises(UnavailableError, match=f"no connection to {server.address}") as gone:
        bench.client(server).stream("double", source(), timeout=0.5, return_exceptions=True)
    assert gone.value.request_id


def test_a_server_that_was_never_there_is_given_up_soon(bench: Bench) -> None:
    with pytest.raises(UnavailableError):  # in 0.3 s, long before the timeout
        bench.client("127.0.0.1:1").stream("double", minibatches(1), timeout=3600)


def test_a_stream_that_keeps_breaking_ends(bench: Bench) -> None:
    def break_at_once(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        next(requests)
        lose_the_connection(context)
        yield b""

    server = bench.server({STREAM_INFER: break_at_once})
    with pytest.raises(UnavailableError, match="Socket closed"):
        bench.client(server).stream("double", minibatches(1))
    assert server.calls == [STREAM_INFER] * 3


def test_a_refusal_is_final(bench: Bench) -> None:
    def refuse_the_caller(_: Iterator[bytes], context: Any) -> Iterator[bytes]:
        refuse(error(Reason.UNAUTHENTICATED, "no token"))(b"", context)
        return iter(())

    server = bench.server({STREAM_INFER: refuse_the_caller})
    with pytest.raises(UnauthenticatedError, match="no token"):
        bench.client(server).stream("double", minibatches(1))
    assert server.calls == [STREAM_INFER]


def test_who_does_not_want_it_sees_the_break(bench: Bench) -> None:
    def answer_and_drain(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield answer_streamed(next(requests))
        drain(context)

    server = bench.server({STREAM_INFER: answer_and_drain})
    with pytest.raises(NumbatchError, match="shutting down") as broken:
        bench.client(server).stream("double", minibatches(2), reconnect=False)
    assert broken.value.reason is Reason.SERVER_DRAINING
    assert server.calls == [STREAM_INFER]


def test_closing_the_client_ends_its_streams() -> None:
    def silent(_: Iterator[bytes], context: Any) -> Iterator[bytes]:
        wait_for_the_end(context)
        yield b""

    with FakeServer({STREAM_INFER: silent}) as server, Client(server.address) as client:
        with ThreadPoolExecutor(1) as threads:
            reading = threads.submit(next, client.stream("double", minibatches(1)))
            assert server.began[STREAM_INFER].wait(10)
            client.close()
            with pytest.raises(RequestCancelledError, match="the client was closed"):
                reading.result(10)
        assert server.calls == [STREAM_INFER]
