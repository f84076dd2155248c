"""The stream of the asyncio client: the feed runs in a task, the reader in the caller's."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Self

import grpc

from numbatch.client._answers import Expected, Outputs
from numbatch.client._errors import errors_of
from numbatch.client._requests import Inputs
from numbatch.client._streams import Broken, Ended, Note, Plan, Sent, cut_off
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason


async def stream_answers(
    open_call: Callable[[], Any],
    minibatches: AsyncIterator[Inputs],
    encode: Callable[[Inputs], Awaitable[tuple[Expected, bytes]]],
    plan: Plan,
) -> AsyncGenerator[Outputs | NumbatchError, None]:
    """Give one result for each minibatch, in order; leaving the generator cancels the call."""
    feed = _Feed(minibatches, encode, plan.window)
    call = open_call()
    call.add_done_callback(feed.call_is_over)
    writer = asyncio.create_task(feed.write_to(call))
    try:
        while not isinstance(note := await feed.notes.get(), Ended):
            result = note if isinstance(note, NumbatchError) else await _read(call, note, plan)
            feed.answered()
            if isinstance(result, NumbatchError) and not plan.return_exceptions:
                raise result
            yield result
        if note.raised is not None:
            raise note.raised
        await _read_end(call, plan)
    finally:
        # Whatever the way out: gRPC neither cancels nor frees a call that is merely forgotten.
        call.cancel()
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


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


async def _read(call: Any, note: Sent | Broken, plan: Plan) -> Outputs | NumbatchError:
    details = note.expected.call if isinstance(note, Sent) else plan.call
    with errors_of(details):
        answer = await _next_answer(call, plan)
        if answer is grpc.aio.EOF or isinstance(note, Broken):
            raise cut_off(details)
        return note.expected.read_streamed(answer)


async def _read_end(call: Any, plan: Plan) -> None:
    # The server should see a stream that ended, not one that was cancelled. Every result is out: nothing can fail now.
    try:
        await _next_answer(call, plan)
    except (grpc.RpcError, NumbatchError):
        pass


async def _next_answer(call: Any, plan: Plan) -> Any:
    """Read one answer. A timer cancels the call where none comes in time; to cancel the read itself would leak."""
    overdue = False

    def bark() -> None:
        nonlocal overdue
        overdue = True
        call.cancel()

    timer = asyncio.get_running_loop().call_later(plan.call.timeout_s, bark)
    try:
        return await call.read()
    except asyncio.CancelledError:
        if caller_is_cancelled():
            raise
        # The call was cancelled, not its reader: by the timer, or because the client was closed.
        raise plan.overdue() if overdue else error(Reason.CANCELLED, "the client was closed") from None
    finally:
        timer.cancel()


class _Feed:
    """The requests of a stream, and the notes of what became of each minibatch."""

    def __init__(
        self,
        minibatches: AsyncIterator[Inputs],
        encode: Callable[[Inputs], Awaitable[tuple[Expected, bytes]]],
        window: int,
    ) -> None:
        self.notes: asyncio.Queue[Note] = asyncio.Queue()
        self._minibatches = minibatches
        self._encode = encode
        self._slots = asyncio.Semaphore(window)

    async def write_to(self, call: Any) -> None:
        while True:
            await self._slots.acquire()
            note, request = await self._next()
            self.notes.put_nowait(note)
            try:
                if request:
                    await call.write(request)
                elif isinstance(note, Ended):
                    await call.done_writing()
                    return
            except (grpc.RpcError, asyncio.InvalidStateError):
                return  # the call is over, and the reader says why

    def answered(self) -> None:
        self._slots.release()

    def call_is_over(self, _: Any) -> None:
        self.notes.put_nowait(Broken())

    async def _next(self) -> tuple[Note, bytes]:
        try:
            x = await anext(self._minibatches)
        except StopAsyncIteration:
            return Ended(), b""
        except BaseException as raised:  # theirs, whatever it is: raised where they read
            return Ended(raised), b""
        try:
            expected, request = await self._encode(x)
        except NumbatchError as refused:
            return refused, b""
        except BaseException as raised:
            return Ended(raised), b""
        return Sent(expected), request
