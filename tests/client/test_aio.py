"""What only asyncio has: tasks that are cancelled, loops that end, sources that are awaited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from itertools import count
from typing import Any

import grpc
import pytest

from numbatch.client import AsyncClient, Reason, RequestCancelledError, UnavailableError
from numbatch.wire.errors import error
from support.fake_server import INFER, STREAM_INFER, FakeServer, answer_streamed, refuse, silence, wait_for_the_end

Story = Callable[[AsyncClient, FakeServer], Coroutine[Any, Any, None]]


def play(story: Story, methods: dict[str, Any] | None = None) -> None:
    async def main() -> None:
        async with AsyncClient(server.address) as client:
            await story(client, server)

    with FakeServer(methods) as server:
        asyncio.run(main())


async def endless() -> AsyncIterator[Any]:
    for i in count():
        yield [i, i]


async def ended(server: FakeServer, path: str) -> bool:
    return await asyncio.to_thread(server.ended[path].wait, 10)


def test_a_client_may_be_made_before_its_loop_runs() -> None:
    with FakeServer() as server:
        client = AsyncClient(server.address)

        async def main() -> list[float]:
            async with client:
                answer: list[float] = (await client.infer("double", [1, 2])).tolist()
                return answer

        assert asyncio.run(main()) == [2, 4]


def test_a_client_of_another_loop_says_so() -> None:
    with FakeServer() as server, asyncio.Runner() as first:
        client = AsyncClient(server.address)
        first.run(client.infer("double", [1, 2]))
        with asyncio.Runner() as second, pytest.raises(RuntimeError, match="belongs to another event loop"):
            second.run(client.infer("double", [1, 2]))
        first.run(client.close())


def test_many_tasks_share_one_client() -> None:
    async def story(client: AsyncClient, _: FakeServer) -> None:
        answers = await asyncio.gather(*(client.infer("double", [i, -i]) for i in range(100)))
        assert [answer.tolist() for answer in answers] == [[2 * i, -2 * i] for i in range(100)]

    play(story)


def test_a_source_may_be_asynchronous() -> None:
    async def story(client: AsyncClient, _: FakeServer) -> None:
        results = list[Any]()
        async for result in client.stream("double", endless()):
            results.append(result.tolist())
            if len(results) == 3:
                break
        assert results == [[0, 0], [2, 2], [4, 4]]

    play(story)


def test_leaving_the_loop_cancels_the_stream() -> None:
    async def story(client: AsyncClient, server: FakeServer) -> None:
        async for result in client.stream("double", endless()):
            assert result.tolist() == [0, 0]
            break
        assert await ended(server, STREAM_INFER)

    play(story)


def test_closing_the_generator_cancels_the_stream() -> None:
    async def story(client: AsyncClient, server: FakeServer) -> None:
        stream = client.stream("double", endless())
        assert (await anext(stream)).tolist() == [0, 0]
        await stream.aclose()
        assert await ended(server, STREAM_INFER)

    play(story)


def test_cancelling_a_task_cancels_its_call_on_the_server() -> None:
    async def story(client: AsyncClient, server: FakeServer) -> None:
        with pytest.raises(TimeoutError):  # the task's own, not one of numbatch's errors
            async with asyncio.timeout(0.2):
                await client.infer("double", [1, 2])
        assert await ended(server, INFER)

    play(story, {INFER: silence})


def test_cancelling_a_task_cancels_its_stream_on_the_server() -> None:
    async def story(client: AsyncClient, server: FakeServer) -> None:
        async def follow() -> None:
            async for _ in client.stream("double", endless()):
                first.set()

        first = asyncio.Event()
        task = asyncio.create_task(follow())
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await ended(server, STREAM_INFER)

    play(story)


def test_the_servers_reason_survives_a_write_after_the_end() -> None:
    def answer_then_drain(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield answer_streamed(next(requests))
        refuse(error(Reason.SERVER_DRAINING, "shutting down"))(b"", context)

    async def story(client: AsyncClient, server: FakeServer) -> None:
        async def source() -> AsyncIterator[Any]:
            yield [1, 2]
            assert await ended(server, STREAM_INFER)
            over.set()
            yield [3, 4]

        over = asyncio.Event()
        stream = client.stream("double", source(), reconnect=False)
        assert (await anext(stream)).tolist() == [2, 4]
        await over.wait()
        with pytest.raises(UnavailableError, match="shutting down") as draining:
            await anext(stream)
        assert draining.value.reason is Reason.SERVER_DRAINING

    play(story, {STREAM_INFER: answer_then_drain})


def test_a_stream_that_breaks_while_its_source_waits_sends_again_what_is_unanswered() -> None:
    calls = list[int]()

    def break_at_first(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        calls.append(1)
        if len(calls) == 1:
            next(requests)
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return map(answer_streamed, requests)

    async def story(client: AsyncClient, _: FakeServer) -> None:
        async def source() -> AsyncIterator[Any]:
            yield [1, 2]
            await release.wait()

        release = asyncio.Event()
        stream = client.stream("double", source())
        assert (await anext(stream)).tolist() == [2, 4]
        release.set()
        assert [result async for result in stream] == []

    play(story, {STREAM_INFER: break_at_first})


def test_closing_the_client_ends_its_streams_though_they_reconnect() -> None:
    async def story(client: AsyncClient, server: FakeServer) -> None:
        stream = client.stream("double", [[1, 2]])
        reading = asyncio.create_task(anext(stream))
        assert await asyncio.to_thread(server.began[STREAM_INFER].wait, 10)
        await client.close()
        with pytest.raises(RequestCancelledError, match="the client was closed"):
            await reading

    def silent(_: Iterator[bytes], context: Any) -> Iterator[bytes]:
        wait_for_the_end(context)
        yield b""

    play(story, {STREAM_INFER: silent})


def test_closing_the_client_ends_its_calls_with_an_error_of_their_own() -> None:
    async def story(client: AsyncClient, server: FakeServer) -> None:
        call = asyncio.create_task(client.infer("double", [1, 2]))
        assert await asyncio.to_thread(server.began[INFER].wait, 10)
        await client.close()
        with pytest.raises(RequestCancelledError, match="the client was closed"):
            await call

    play(story, {INFER: silence})
