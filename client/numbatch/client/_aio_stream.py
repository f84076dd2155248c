"""The stream of the asyncio client: the reader, in the caller's task."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import grpc

from numbatch.client._aio_feed import Feed, caller_is_cancelled
from numbatch.client._aio_status import ServerStatus
from numbatch.client._answers import Expected, Outputs
from numbatch.client._errors import CallDetails, client_closed, errors_of, from_rpc_error
from numbatch.client._reconnection import Reconnection
from numbatch.client._requests import Inputs
from numbatch.client._streams import Plan, cut_off
from numbatch.client._window import Ended, Entry, Request
from numbatch.wire.errors import DeadlineExceededError, NumbatchError


async def stream_answers(
    open_call: Callable[[], Any],
    minibatches: AsyncIterator[Inputs],
    encode: Callable[[Inputs], Awaitable[tuple[Expected, bytes]]],
    plan: Plan,
) -> AsyncGenerator[Outputs | NumbatchError, None]:
    """Give one result for each minibatch, in order; leaving the generator cancels the call."""
    feed = Feed(minibatches, encode, plan.window)
    answers = _Answers(open_call, feed, plan)
    try:
        answers.open()
        while not isinstance(entry := await answers.next_entry(), Ended):
            result = await answers.read(entry) if isinstance(entry, Request) else entry
            feed.answered()
            if isinstance(result, NumbatchError) and not plan.return_exceptions:
                raise result
            yield result
        if entry.raised is not None:
            raise entry.raised
        await answers.read_end()
    finally:
        # Whatever the way out: gRPC neither cancels nor frees a call that is merely forgotten.
        answers.close()
        await feed.stop()


class _Answers:
    """The answers of a stream, from one call after the other."""

    def __init__(self, open_call: Callable[[], Any], feed: Feed, plan: Plan) -> None:
        self._open_call = open_call
        self._feed = feed
        self._plan = plan
        self._reconnection = Reconnection(plan.reconnect)
        self._clock = asyncio.get_running_loop().time
        self._call: Any = None

    def open(self) -> None:
        """Open a call; what is unanswered is sent on it."""
        self._call = call = self._open_call()
        # Not read(): that gives up what has come already as soon as a write has failed.
        self._messages = aiter(call)
        self._status = ServerStatus()
        call.add_done_callback(self._status.keep)
        self._feed.begin(call)
        self._reconnection.opened(self._clock())

    def close(self) -> None:
        """Cancel the call, if it goes on."""
        if self._call is not None:
            self._call.cancel()

    async def next_entry(self) -> Entry:
        """Wait for the entry whose result is next; see meanwhile that there is a call."""
        while (entry := await self._feed.first()) is None:
            await self._read(self._plan.call, None)
        return entry

    async def read(self, request: Request) -> Outputs | NumbatchError:
        """Wait for the result of a request."""
        result = await self._read(request.expected.call, request)
        assert result is not None
        return result

    async def read_end(self) -> None:
        """Wait until the call has ended: the server should see a stream that ended, not one that was cancelled."""
        try:
            await self._next(self._clock() + self._plan.call.timeout_s)
        except (grpc.RpcError, NumbatchError):
            pass  # every result is out: nothing can fail now

    async def _read(self, details: CallDetails, request: Request | None) -> Outputs | NumbatchError | None:
        """Read the answer to a request, if need be on another call; without a request, only open that."""
        deadline = self._clock() + self._plan.call.timeout_s
        with errors_of(details):
            broken: NumbatchError | None = None
            while True:
                try:
                    return await self._read_once(details, request, deadline)
                except NumbatchError as failure:
                    if broken is not None and isinstance(failure, DeadlineExceededError):
                        raise broken from None  # says more of why no answer came
                    broken = failure
                await self._reopen(broken, deadline)
                if request is None:
                    return None

    async def _read_once(
        self, details: CallDetails, request: Request | None, deadline: float
    ) -> Outputs | NumbatchError:
        try:
            answer = await self._next(deadline)
        except grpc.RpcError as failure:
            raise from_rpc_error(failure, details) from failure
        if answer is None or request is None:
            raise cut_off(details)
        return self._reconnection.accepted(request.expected.read_streamed(answer))

    async def _reopen(self, broken: NumbatchError, deadline: float) -> None:
        delay_s = self._reconnection.delay_s(broken, self._clock(), deadline)
        if delay_s is None:
            raise broken
        self.close()
        await asyncio.sleep(delay_s)
        self.open()

    async def _next(self, deadline: float) -> bytes | None:
        """Read one answer. A timer cancels the call where none comes in time; to cancel the read itself would leak."""
        overdue = False

        def bark() -> None:
            nonlocal overdue
            overdue = True
            self._call.cancel()

        timer = asyncio.get_running_loop().call_at(deadline, bark)
        try:
            answer: bytes | None = await anext(self._messages, None)
            return answer
        except grpc.aio.AioRpcError as failure:
            known = await self._status.behind(failure)
            if known.code() is grpc.StatusCode.OK:
                return None
            raise known from None
        except asyncio.CancelledError:
            if caller_is_cancelled():
                raise
            # The call was cancelled, not its reader: by the timer, or because the client was closed.
            raise self._plan.overdue() if overdue else client_closed() from None
        finally:
            timer.cancel()
