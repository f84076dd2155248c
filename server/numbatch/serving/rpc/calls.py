"""Calls in progress: handlers are made here, so that each call is counted, has a deadline and ends with a status."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.status import abort, as_numbatch_error

# The bytes of a request and its deadline on the monotonic clock -> the bytes of the answer.
UnaryBehaviour = Callable[[bytes, float | None], Awaitable[bytes]]
# Writes its answers to the context. The bytes are the request, or None where requests are read from the context.
StreamBehaviour = Callable[[Any, CallContext], Awaitable[None]]


class Calls:
    """Counts the calls in progress. It belongs to the thread of the event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until no call is in progress: all are answered, and the answers handed to the transport."""
        await self._idle.wait()

    def unary(self, behaviour: UnaryBehaviour) -> grpc.RpcMethodHandler:
        """Return the handler of a method with one request and one answer."""

        async def handle(request: bytes, context: CallContext) -> bytes:
            self._begin(context)
            try:
                return await behaviour(request, deadline_of(context))
            except (Exception, asyncio.CancelledError) as problem:
                await _end(context, problem)
                raise

        return grpc.unary_unary_rpc_method_handler(handle)

    def unary_stream(self, behaviour: StreamBehaviour) -> grpc.RpcMethodHandler:
        """Return the handler of a method with one request and any number of answers."""
        return grpc.unary_stream_rpc_method_handler(self._stream(behaviour))

    def stream_stream(self, behaviour: StreamBehaviour) -> grpc.RpcMethodHandler:
        """Return the handler of a method with any number of requests and answers."""
        return grpc.stream_stream_rpc_method_handler(self._stream(behaviour))

    def _stream(self, behaviour: StreamBehaviour) -> Callable[[Any, CallContext], Awaitable[None]]:
        async def handle(request: Any, context: CallContext) -> None:
            self._begin(context)
            try:
                await behaviour(request, context)
            except (Exception, asyncio.CancelledError) as problem:
                await _end(context, problem)
                raise

        return handle

    def _begin(self, context: CallContext) -> None:
        self._count += 1
        self._idle.clear()
        context.add_done_callback(self._done)

    def _done(self, _: Any) -> None:
        self._count -= 1
        if self._count == 0:
            self._idle.set()


def deadline_of(context: CallContext) -> float | None:
    """Return a call's deadline on the monotonic clock.

    gRPC tells it by the wall clock, which may be set; so it is read once, when the call arrives.
    """
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


async def _end(context: CallContext, problem: BaseException) -> None:
    """End a call with a status, where it is still to be ended; the caller raises the problem again."""
    if isinstance(problem, grpc.aio.BaseError):
        return  # gRPC's own: ended already, or the peer is gone
    task = asyncio.current_task()
    if isinstance(problem, asyncio.CancelledError) and task is not None and task.cancelling():
        return  # by gRPC, for the peer: it must see the cancellation, or it leaks the call's memory (grpc#43360)
    # A cancellation of our own that escaped would leave the peer without any answer (grpc#29248).
    await abort(context, as_numbatch_error(problem))
