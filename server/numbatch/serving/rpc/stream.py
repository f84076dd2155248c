"""Streams of requests, answered in their order while the next ones are already worked on.

One task reads ahead, at most a window of requests beyond the last answer; the handler waits for the oldest, writes its
answer, and makes room for another. While the window is full nothing is read, so HTTP/2 flow control holds the peer
back; while the peer does not read, the write waits. Either way the memory that a stream takes is bounded.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import grpc

from numbatch.serving.failures import draining
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.stall import WatchedWriter
from numbatch.serving.rpc.window import StreamLimits, Window

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
    limits: StreamLimits,
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
    limits : StreamLimits
        What it may take up.

    Raises
    ------
    UnavailableError
        SERVER_DRAINING.
    """
    stream = _Stream(context, start, finish, limits)

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
        limits: StreamLimits,
    ) -> None:
        self._context = context
        self._start = start
        self._finish = finish
        self._stall_s = limits.stall_s
        self._window = Window(limits)
        # Work and the size of its request. None ends it: after what is before it, there is nothing more to answer.
        self._unanswered: asyncio.Queue[tuple[WorkT, int] | None] = asyncio.Queue()
        self._half_closed = False
        self._stopped = False

    async def run(self) -> bool:
        """Answer requests, and return whether the peer has no more: False if `stop_reading` came before that."""
        # It is never cancelled as long as the call lasts: a read that is abandoned leaks memory (grpc#43360).
        reader = asyncio.create_task(self._read_ahead())
        writer = WatchedWriter(self._context, self._stall_s, self._give_up)
        try:
            while (unanswered := await self._unanswered.get()) is not None:
                work, size = unanswered
                await writer.write(await self._finish(work))
                self._window.give_back(size)
        except asyncio.CancelledError:
            # Of a call that was dropped nothing ends the read. One that the peer has ended is over in any case.
            reader.cancel()
            raise
        finally:
            writer.close()
            self._give_up()
            del self._context  # a traceback of a failed request may keep this object for a while, and not the call
        await asyncio.sleep(_CANCELLATION_S)
        return self._half_closed

    def stop_reading(self) -> None:
        """Take no more requests; those that were read are still answered."""
        self._stopped = True
        self._window.open()
        self._unanswered.put_nowait(None)

    async def _read_ahead(self) -> None:
        try:
            while True:
                await self._window.wait()
                if self._stopped:
                    return
                data = await self._context.read()
                if self._stopped:
                    return
                if data is grpc.aio.EOF:
                    self._half_closed = True
                    return
                size = len(data)
                self._window.take(size)
                self._unanswered.put_nowait((self._start(data), size))
                del data  # the work holds what it needs of it
        except grpc.aio.BaseError:
            return  # the call ended under the read
        finally:
            self._unanswered.put_nowait(None)

    def _give_up(self) -> None:
        """Take no more requests, and answer none of those that were read."""
        self.stop_reading()
        while not self._unanswered.empty():
            unanswered = self._unanswered.get_nowait()
            if unanswered is not None:
                unanswered[0].cancel()
