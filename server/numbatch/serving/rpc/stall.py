"""Peers that do not read what they asked for. A write waits for them without end, and gRPC knows no remedy.

At first the peer is told: the status waits behind the answer that it does not read, so one that was only slow sees why
its stream has ended. Half-way resources are given back then: requests that were read are not answered any more. Who has
not read even that after as long again has the call dropped, and all that it held freed.
"""

import asyncio
import gc
import logging
from collections.abc import Callable

import grpc

from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.status import abort
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)

# gRPC's task for a call, which waits for its end; the handler runs in another one.
_CALL_TASK = "rpc_task"


class WatchedWriter:
    """Writes the answers of a stream, for as long as its peer reads them. It belongs to the task that makes it.

    Parameters
    ----------
    context : CallContext
        The stream.
    stall_s : float
        How long a write may wait.
    on_stall : callable
        Called when the peer is told, to give back what is not needed any more.
    """

    def __init__(self, context: CallContext, stall_s: float, on_stall: Callable[[], None]) -> None:
        self._context = context
        self._stall_s = stall_s
        self._on_stall = on_stall
        self._loop = asyncio.get_running_loop()
        self._handler = asyncio.current_task()
        # When the write that waits began, on the loop's clock. One timer serves many writes.
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[BaseException] | None = None

    async def write(self, data: bytes) -> None:
        """Write an answer.

        Raises
        ------
        grpc.aio.BaseError
            If the call has ended, by this writer too.
        """
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._stall_s, self._look)
        await self._context.write(data)
        self._since = None
        if self._telling is not None:
            # It has read on, and will find the status. gRPC insists on the exception with which it ended the call.
            raise await self._telling

    def close(self) -> None:
        """Watch no more, and let go of the call: nothing that refers to it may stay, or it stays as well."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._handler = self._telling = None
        del self._context, self._on_stall

    def _look(self) -> None:
        self._timer = None
        if self._since is None:
            return
        left = self._since + self._stall_s - self._loop.time()
        if left <= 0 and self._telling is not None:
            self._drop()
            return
        if left <= 0:
            _log.info("a peer does not read its answers stall_s=%(stall_s)g", {"stall_s": self._stall_s})
            self._telling = self._loop.create_task(self._tell())
            self._since += self._stall_s
            self._on_stall()
            left = self._stall_s
        self._timer = self._loop.call_later(left, self._look)

    async def _tell(self) -> BaseException:
        try:
            await abort(self._context, stalled(self._stall_s))
        except (grpc.aio.BaseError, asyncio.CancelledError) as ended:
            return ended

    def _drop(self) -> None:
        assert self._handler is not None and self._telling is not None
        self._telling.cancel()
        _log.warning("dropped a stream whose peer did not read its answers stall_s=%(s)g", {"s": self._stall_s})
        drop_call(self._handler)


def stalled(stall_s: float) -> NumbatchError:
    """Return the error for a peer that does not read."""
    return error(
        Reason.STREAM_STALLED,
        f"the answers of the stream were not read for {stall_s:g} s",
        hint="read answers while requests are sent, or send fewer at once",
    )


def drop_call(handler: asyncio.Task[None]) -> None:
    """End a call without its peer's help; on the wire it is a reset of the stream, and the peer sees CANCELLED.

    gRPC has no method for it. It cancels a call when the last reference to it goes, which the handler holds, and a task
    of gRPC's that waits for the peer: both are cancelled. Of a call whose write waited some hundred bytes stay behind,
    as gRPC does not free the descriptions of operations that were given up (grpc#43360). The references that its server
    keeps to the first call and to the newest one go with the next.
    """
    handler.cancel()
    waiting = next(
        (task for task in asyncio.all_tasks() if task.get_name() == _CALL_TASK and _knows(task, handler)), None
    )
    if waiting is None:
        _log.error("a call that was dropped stays in memory: gRPC has changed, please report it")
    else:
        waiting.cancel()


def _knows(task: asyncio.Task[None], handler: asyncio.Task[None]) -> bool:
    """Whether gRPC's task is that of the handler: its variables can be seen by the garbage collector alone."""
    frames = gc.get_referents(task.get_coro())
    return any(found is handler for found in gc.get_referents(*frames))
