"""The stream of the asyncio client: the feed runs in a task, the reader in the caller's."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Self

import grpc

from numbatch.client._aio_status import ServerStatus
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
    answers = _Answers(open_call(), plan)
    answers.call.add_done_callback(feed.call_is_over)
    writer = asyncio.create_task(feed.write_to(answers.call))
    try:
        while not isinstance(note := await feed.notes.get(), Ended):
            result = note if isinstance(note, NumbatchError) else await answers.read(note)
            feed.answered()
            if isinstance(result, NumbatchError) and not plan.return_exceptions:
                raise result
            yield result
        if note.raised is not None:
            raise note.raised
        await answers.read_end()
    finally:
        # Whatever the way out: gRPC neither cancels nor frees a call that is merely forgotten.
        answers.call.cancel()
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


class _Answers:
    """The answers of a stream."""

    def __init__(self, call: Any, plan: Plan) -> None:
        self.call = call
        self._plan = plan
        # Not read(): that gives up what has come already as soon as a write has failed.
        self._answers = aiter(call)
        self._status = ServerStatus()
        call.add_done_callback(self._status.keep)

    async def read(self, note: Sent | Broken) -> Outputs | NumbatchError:
        details = note.expected.call if isinstance(note, Sent) else self._plan.call
        with errors_of(details):
            answer = await self._next()
            if answer is None or isinstance(note, Broken):
                raise cut_off(details)
            return note.expected.read_streamed(answer)

    async def read_end(self) -> None:
        # The server should see a stream that ended, not one that was cancelled. Every result is out: nothing can fail.
        try:
            await self._next()
        except (grpc.RpcError, NumbatchError):
            pass

    async def _next(self) -> bytes | None:
        """Read one answer. A timer cancels the call where none comes in time; to cancel the read itself would leak."""
        overdue = False

        def bark() -> None:
            nonlocal overdue
            overdue = True
            self.call.cancel()

        timer = asyncio.get_running_loop().call_later(self._plan.call.timeout_s, bark)
        try:
            answer: bytes | None = await anext(self._answers, None)
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
            raise self._plan.overdue() if overdue else error(Reason.CANCELLED, "the client was closed") from None
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
