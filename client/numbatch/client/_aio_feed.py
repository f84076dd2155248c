"""The requests of the asyncio client's streams: a task advances the caller's iterable, and writes what comes of it.

When a call breaks, that task may be waiting in the iterable, for ever perhaps; so what is unanswered is sent again by a
task of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from typing import Any, Self

import grpc

from numbatch.client._answers import Expected
from numbatch.client._requests import Inputs
from numbatch.client._window import Ended, Entry, Request, Window
from numbatch.wire.errors import NumbatchError


class Feed:
    """Takes minibatches from the source and sends them, on one call after the other.

    Parameters
    ----------
    minibatches : asynchronous iterator
        The source.
    encode : callable
        Makes the request of a minibatch, or raises NumbatchError.
    window : int
        At most so many minibatches are without a result.
    """

    def __init__(
        self,
        minibatches: AsyncIterator[Inputs],
        encode: Callable[[Inputs], Awaitable[tuple[Expected, bytes]]],
        window: int,
    ) -> None:
        self._minibatches = minibatches
        self._encode = encode
        self._window = Window(window)
        self._call: Any = None  # the current call
        self._arrived = asyncio.Event()  # an entry, or the end of the call
        self._room = asyncio.Event()
        self._sending = asyncio.Lock()
        self._tasks = set[asyncio.Task[None]]()
        self._run(self._take_all())

    def begin(self, call: Any) -> None:
        """Send on a new call; what has no answer comes first."""
        self._call = call
        self._window.broken()
        if self._window.has_unsent:
            self._run(self._send())
        call.add_done_callback(self._end)

    async def first(self) -> Entry | None:
        """Wait for the entry whose result is next, and return it; None if there is none and the call has ended."""
        while (entry := self._window.first) is None and not self._call.done():
            self._arrived.clear()
            await self._arrived.wait()
        return entry

    def answered(self) -> None:
        """Let go of the first entry, and take another minibatch for it."""
        self._window.answered()
        self._room.set()

    async def stop(self) -> None:
        """Take and send nothing more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _end(self, _: Any) -> None:
        self._arrived.set()

    async def _take_all(self) -> None:
        while not self._window.has_end:
            while not self._window.has_room:
                self._room.clear()
                await self._room.wait()
            self._window.add(await self._next())
            self._arrived.set()
            await self._send()

    async def _send(self) -> None:
        async with self._sending:  # the calls of a stream are written to one after the other, each in order
            call = self._call
            try:
                while call is self._call and (request := self._window.next_request()) is not None:
                    await call.write(request)
                if call is self._call and self._window.has_end:
                    await call.done_writing()
            except (grpc.RpcError, asyncio.InvalidStateError):
                pass  # the call is over, and the reader says why
            except asyncio.CancelledError:
                if caller_is_cancelled():
                    raise

    async def _next(self) -> Entry:
        try:
            x = await anext(self._minibatches)
        except StopAsyncIteration:
            return Ended()
        except BaseException as raised:  # theirs, whatever it is: raised where they read
            return Ended(raised)
        try:
            return Request(*await self._encode(x))
        except NumbatchError as refused:
            return refused
        except BaseException as raised:
            return Ended(raised)


class PlainIterator:
    """An iterator as an asynchronous one; it is advanced on the event loop."""

    def __init__(self, minibatches: Iterable[Inputs]) -> None:
        self._minibatches = iter(minibatches)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Inputs:
        try:
            return next(self._minibatches)
        except StopIteration:
            raise StopAsyncIteration from None


def caller_is_cancelled() -> bool:
    """Return whether the running task is being cancelled; gRPC raises CancelledError also where only its call was."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
