"""Calls in progress. Handlers are made here: each call is let in or refused, counted, and ends with a status."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from numbatch.serving.failures import as_numbatch_error, draining
from numbatch.serving.in_progress import InProgress
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.rpc.context import CallContext
from numbatch.serving.rpc.status import abort
from numbatch.serving.security.access import Access, Scope
from numbatch.serving.trace_parent import TRACE_PARENT, note_trace_parent

# The bytes of a request and its deadline on the monotonic clock -> the bytes of the answer.
UnaryBehaviour = Callable[[bytes, float | None], Awaitable[bytes]]
# Writes its answers to the context. The bytes are the request, or None where requests are read from the context.
StreamBehaviour = Callable[[Any, CallContext], Awaitable[None]]
# What a call needs the right to: always the same, nothing, or by the bytes of the request.
Needs = Scope | None | Callable[[bytes], Scope]


class Calls:
    """Makes handlers, and knows the calls in progress. It belongs to the thread of the event loop.

    While the server drains, handlers refuse new calls. gRPC could do that too, but ends those that arrive at the wrong
    moment as if their caller had cancelled them, and health could not be asked for any more.

    Parameters
    ----------
    lifecycle : Lifecycle
        Says whether the server drains.
    access : Access
        Says who may do what.
    traced : bool
        Whether to note the traces that calls belong to.
    """

    def __init__(self, lifecycle: Lifecycle, access: Access, *, traced: bool = False) -> None:
        self._lifecycle = lifecycle
        self._access = access
        self._traced = traced
        self._streams = 0
        self._refused = asyncio.Event()
        self._let_in = InProgress()
        self._open = InProgress()

    @property
    def in_progress(self) -> int:
        """How many calls were let in and have not ended."""
        return self._let_in.count

    @property
    def open_streams(self) -> int:
        """How many of all calls are streams, those that hold up no end among them."""
        return self._streams

    async def wait_idle(self) -> None:
        """Wait until all calls that were let in are answered, and the answers handed to the transport."""
        await self._let_in.wait_idle()

    async def wait_none_open(self) -> None:
        """Wait until no call is open at all, those that hold up no end among them."""
        await self._open.wait_idle()

    async def wait_quiet(self, quiet_s: float) -> None:
        """Wait until no call was refused for so long: callers have understood that the server drains."""
        with contextlib.suppress(TimeoutError):
            while True:
                self._refused.clear()
                async with asyncio.timeout(quiet_s):
                    await self._refused.wait()

    def unary(self, behaviour: UnaryBehaviour, needs: Needs, *, always: bool = False) -> grpc.RpcMethodHandler:
        """Return the handler of a method with one request and one answer.

        Parameters
        ----------
        behaviour : callable
            Answers.
        needs : Scope, callable or None
            The scope that callers need.
        always : bool
            True: also while the server drains, and without holding up its end.
        """
        admit = self._admission(needs)

        async def handle(request: bytes, context: CallContext) -> bytes:
            try:
                self._begin(context, always)
                if admit is not None:
                    admit(request, context)
                return await behaviour(request, deadline_of(context))
            except (Exception, asyncio.CancelledError) as problem:
                await _end(context, problem)
                raise

        return grpc.unary_unary_rpc_method_handler(handle)

    def unary_stream(
        self, behaviour: StreamBehaviour, needs: Scope | None, *, always: bool = False
    ) -> grpc.RpcMethodHandler:
        """Return the handler of a method with one request and any number of answers."""
        return grpc.unary_stream_rpc_method_handler(self._stream(behaviour, needs, always))

    def stream_stream(self, behaviour: StreamBehaviour, needs: Scope | None) -> grpc.RpcMethodHandler:
        """Return the handler of a method with any number of requests and answers."""
        return grpc.stream_stream_rpc_method_handler(self._stream(behaviour, needs, always=False))

    def _stream(
        self, behaviour: StreamBehaviour, needs: Scope | None, always: bool
    ) -> Callable[[Any, CallContext], Awaitable[None]]:
        admit = self._admission(needs)

        async def handle(request: Any, context: CallContext) -> None:
            self._streams += 1
            try:
                self._begin(context, always)
                if admit is not None:
                    admit(b"", context)
                await behaviour(request, context)
            except (Exception, asyncio.CancelledError) as problem:
                await _end(context, problem)
                raise
            finally:
                self._streams -= 1

        return handle

    def _admission(self, needs: Needs) -> Callable[[bytes, CallContext], None] | None:
        """Return what refuses those who may not; None where nobody is refused."""
        if needs is None:
            return None
        checks = {scope: self._access.check_for(scope) for scope in Scope}
        if isinstance(needs, Scope):
            check = checks[needs]
            return None if check is None else lambda _, context: check(_header(context, "authorization"))
        if not any(checks.values()):
            return None

        def admit(request: bytes, context: CallContext) -> None:
            check = checks[needs(request)]
            if check is not None:
                check(_header(context, "authorization"))

        return admit

    def _begin(self, context: CallContext, always: bool) -> None:
        # The task's end, not the context's: that would refer to itself then, and outlive its call.
        task = asyncio.current_task()
        assert task is not None
        self._open.begin()
        task.add_done_callback(self._open.end)
        if always:
            return
        if self._traced:
            note_trace_parent(_header(context, TRACE_PARENT))
        if self._lifecycle.draining:
            self._refused.set()
            raise draining()
        self._let_in.begin()
        task.add_done_callback(self._let_in.end)


def deadline_of(context: CallContext) -> float | None:
    """Return a call's deadline on the monotonic clock.

    gRPC tells it by the wall clock, which may be set; so it is read once, when the call arrives.
    """
    remaining = context.time_remaining()
    return None if remaining is None else time.monotonic() + remaining


def _header(context: CallContext, name: str) -> str | None:
    return next((str(value) for key, value in context.invocation_metadata() or () if key == name), None)


async def _end(context: CallContext, problem: BaseException) -> None:
    """End a call with a status, where it is still to be ended; the caller raises the problem again."""
    if isinstance(problem, grpc.aio.BaseError):
        return  # gRPC's own: ended already, or the peer is gone
    task = asyncio.current_task()
    if isinstance(problem, asyncio.CancelledError) and task is not None and task.cancelling():
        return  # by gRPC, for the peer: it must see the cancellation, or it leaks the call's memory (grpc#43360)
    # A cancellation of our own that escaped would leave the peer without any answer (grpc#29248).
    await abort(context, as_numbatch_error(problem))
