"""Streams of requests, answered in their order while the next ones are already worked on.

One task reads ahead, at most a window of requests beyond the last answer; the handler waits for the oldest, writes its
answer, and makes room for another. While the window is full nothing is read, so HTTP/2 flow control holds the peer
back; while the peer does not read, the write waits. Either way the memory that a stream takes is bounded.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import grpc

from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.status import draining

# A cancelled stream reads like one that the peer has finished; that it was cancelled arrives a little later. A handler
# that returns before that makes gRPC send a status on a dead call, and leak (grpc#43360). Of 900 cancelled streams 34
# returned too early without this wait, and none with it.
_CANCELLATION_S = 0.001


class Cancellable(Protocol):
    """Work that has been started."""

    def cancel(self) -> None:
        """See that it never runs, if it has not begun."""


WorkT = TypeVar("WorkT", bound=Cancellable)


async def serve_in_order(
    context: CallContext,
    lifecycle: Lifecycle,
    *,
    start: Callable[[bytes], WorkT],
    finish: Callable[[WorkT], Awaitable[bytes]],
    window: int,
) -> None:
    """Serve one stream until the peer has no more requests, or the server drains.

    Parameters
    ----------
    context : CallContext
        The stream.
    lifecycle : Lifecycle
        Says when the server drains. From then on nothing is read; what was read is answered.
    start : callable
        Starts the work for the bytes of a request; it neither waits nor raises.
    finish : callable
        Waits for the work and returns the bytes of its answer.
    window : int
        How many requests are read before the first of them is answered.

    Raises
    ------
    UnavailableError
        SERVER_DRAINING.
    """
    stream = _Stream(context, start, finish, window)

    def stop_if_draining() -> None:
        if lifecycle.draining:
            stream.stop_reading()

    with lifecycle.watched_by(stop_if_draining):
        stop_if_draining()
        if not await stream.run():
            raise draining()


class _Stream(Generic[WorkT]):
    """The two tasks of one stream, and what they share."""

    def __init__(
        self,
        context: CallContext,
        start: Callable[[bytes], WorkT],
        finish: Callable[[WorkT], Awaitable[bytes]],
        window: int,
    ) -> None:
        self._context = context
        self._start = start
        self._finish = finish
        self._room = asyncio.Semaphore(window)
        # None ends it: after what is before it, there is nothing more to answer.
        self._unanswered: asyncio.Queue[WorkT | None] = asyncio.Queue()
        self._half_closed = False
        self._stopped = False

    async def run(self) -> bool:
        """Answer requests, and return whether the peer has no more: False if `stop_reading` came before that."""
        # It is never cancelled: a read that is abandoned leaks memory (grpc#43360). It ends with the call instead.
        self._reader = asyncio.create_task(self._read_ahead())
        try:
            while (work := await self._unanswered.get()) is not None:
                await self._context.write(await self._finish(work))
                self._room.release()
        finally:
            self.stop_reading()
            self._cancel_unanswered()
        await asyncio.sleep(_CANCELLATION_S)
        return self._half_closed

    def stop_reading(self) -> None:
        """Take no more requests; those that were read are still answered."""
        self._stopped = True
        self._room.release()
        self._unanswered.put_nowait(None)

    async def _read_ahead(self) -> None:
        try:
            while True:
                await self._room.acquire()
                if self._stopped:
                    return
                data = await self._context.read()
                if self._stopped:
                    return
                if data is grpc.aio.EOF:
                    self._half_closed = True
                    return
                self._unanswered.put_nowait(self._start(data))
        except grpc.aio.BaseError:
            return  # the call ended under the read
        finally:
            self._unanswered.put_nowait(None)

    def _cancel_unanswered(self) -> None:
        while not self._unanswered.empty():
            work = self._unanswered.get_nowait()
            if work is not None:
                work.cancel()
