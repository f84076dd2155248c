"""Many minibatches on one stream: one result for each, in order, whatever happens to the others."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import pytest

from numbatch.client import (
    AsyncClient,
    Client,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    NumbatchError,
    Reason,
)
from numbatch.wire.errors import error
from support.fake_server import STREAM_INFER, FakeServer, answer_streamed, refuse_streamed


def minibatches(count: int) -> list[Any]:
    return [np.full((1 + i % 3, 2), i, np.float32) for i in range(count)]


def test_results_come_in_the_order_of_the_minibatches(bench: Any) -> None:
    results = bench.client(bench.server()).stream("double", minibatches(50))
    assert [result.tolist() for result in results] == [(2 * x).tolist() for x in minibatches(50)]


def test_no_minibatches_give_no_results(bench: Any) -> None:
    assert bench.client(bench.server()).stream("double", []) == []


def test_layers_are_asked_for_once_for_all(bench: Any) -> None:
    results = bench.client(bench.server()).stream("double", minibatches(3), layers=["once"])
    assert [list(result) for result in results] == [["once"]] * 3


def refuse_the_third(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
    for i, request in enumerate(requests):
        yield (
            refuse_streamed(request, error(Reason.UNKNOWN_LAYER, "as planned")) if i == 2 else answer_streamed(request)
        )


def test_an_error_is_raised_at_its_place(bench: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="as planned") as refused:
        bench.client(bench.server({STREAM_INFER: refuse_the_third})).stream("double", minibatches(5))
    assert refused.value.reason is Reason.UNKNOWN_LAYER
    assert refused.value.model == "double"
    assert refused.value.request_id


def test_an_error_is_given_at_its_place_and_the_stream_goes_on(bench: Any) -> None:
    client = bench.client(bench.server({STREAM_INFER: refuse_the_third}))
    results = client.stream("double", minibatches(5), return_exceptions=True)
    assert [isinstance(result, NumbatchError) for result in results] == [False, False, True, False, False]


def test_what_the_client_itself_refuses_keeps_its_place_too(bench: Any) -> None:
    client = bench.client(bench.server())
    results = client.stream("double", [[[1, 2]], [["a", "b"]], [[3, 4]]], return_exceptions=True)
    assert results[0].tolist() == [[2, 4]]
    assert results[1].reason is Reason.DATA_TYPE_MISMATCH
    assert results[2].tolist() == [[6, 8]]


def test_what_the_source_raises_comes_after_the_results_before_it(bench: Any) -> None:
    def source() -> Iterator[Any]:
        yield [[1, 2]]
        raise LookupError("the file ended early")

    with pytest.raises(LookupError, match="the file ended early"):
        bench.client(bench.server()).stream("double", source())


def test_a_stream_that_the_server_ends_early_is_an_error(bench: Any) -> None:
    def one_answer(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        yield answer_streamed(next(requests))

    with pytest.raises(InternalError, match="ended the stream before it had answered every request"):
        bench.client(bench.server({STREAM_INFER: one_answer})).stream("double", minibatches(3))


def test_a_silent_server_is_given_up(bench: Any) -> None:
    server: FakeServer = bench.server({STREAM_INFER: lambda requests, context: _answer_nothing(server, requests)})
    with pytest.raises(DeadlineExceededError, match=r"no answer on the stream from .* within 0.2 s"):
        bench.client(server).stream("double", minibatches(1), timeout=0.2)


def _answer_nothing(server: FakeServer, requests: Iterator[bytes]) -> Iterator[bytes]:
    next(requests)
    server.ended[STREAM_INFER].wait(30)
    yield from ()


@pytest.mark.parametrize("window", [1, 4])
def test_no_more_than_a_window_is_unanswered(window: int) -> None:
    taken: list[int] = []

    def source() -> Iterator[Any]:
        for i in range(20):
            taken.append(i)
            yield [[i, i]]

    with FakeServer() as server, Client(server.address) as client:
        for answered, _ in enumerate(client.stream("double", source(), window=window), start=1):
            assert len(taken) <= answered + window


def test_leaving_the_loop_cancels_the_stream() -> None:
    with FakeServer() as server, Client(server.address) as client:
        stream = client.stream("double", ([[i, i]] for i in range(10**9)))
        assert next(stream).tolist() == [[0, 0]]
        stream.close()
        assert server.ended[STREAM_INFER].wait(10)


def test_leaving_an_asynchronous_loop_cancels_the_stream() -> None:
    async def source() -> AsyncIterator[Any]:
        while True:
            yield [[1, 2]]

    async def story(server: FakeServer) -> None:
        async with AsyncClient(server.address) as client:
            stream = client.stream("double", source())
            assert (await anext(stream)).tolist() == [[2, 4]]
            await stream.aclose()
            assert await asyncio.to_thread(server.ended[STREAM_INFER].wait, 10)

    with FakeServer() as server:
        asyncio.run(story(server))


@pytest.mark.parametrize("window", [0, -1])
def test_a_window_of_nothing_is_refused_at_once(bench: Any, window: int) -> None:
    with pytest.raises(InvalidArgumentError, match="window: got"):
        bench.client(bench.server()).stream("double", [], window=window)
