"""A stream that is kept full: so many messages in flight, and for each answer the next message."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import grpc

from numbatch.loadtest.judge import Judge

_LOOKS_PER_TIMEOUT = 20
_DEADLINE_EXCEEDED, _INTERNAL, _UNAVAILABLE = 4, 13, 14


class FullStream:
    """One stream. Answers come in the order of the requests.

    Parameters
    ----------
    call : grpc.aio.StreamStreamCall
        The stream.
    take : callable
        Returns the next message and when it starts, which is now; None: there is none any more.
    request : callable
        Returns the bytes of a message.
    judge : Judge
        Is told what comes back.
    now : callable
        The clock.
    """

    def __init__(
        self,
        call: Any,
        take: Callable[[], tuple[int, float] | None],
        request: Callable[[int], bytes],
        judge: Judge,
        now: Callable[[], float],
    ) -> None:
        self._call, self._take, self._request, self._judge, self._now = call, take, request, judge, now
        self._waiting: deque[tuple[int, float]] = deque()  # messages, and when they started
        self._timed_out = False

    async def run(self, window: int, timeout_s: float) -> bool:
        """Send and receive until there is nothing more to send or the stream breaks; return whether it was whole."""
        watch = asyncio.create_task(self._watch(timeout_s))
        try:
            for _ in range(window):
                if not await self._send():
                    break
            while self._waiting:
                answer = await self._call.read()
                done = self._now()
                if answer is grpc.aio.EOF:
                    return await self._broken()
                message, start = self._waiting.popleft()
                self._judge.answered(message, answer, start, start, done)
                await self._send()
            await self._call.done_writing()
            while await self._call.read() is not grpc.aio.EOF:
                pass
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return await self._broken()
        except asyncio.CancelledError:
            if not self._timed_out:
                self._call.cancel()
                raise
            return await self._broken()
        finally:
            watch.cancel()
        return True

    def not_answered(self) -> list[float]:
        """Return when those requests started whose answers are waited for."""
        return [start for _, start in self._waiting]

    async def _send(self) -> bool:
        taken = self._take()
        if taken is None:
            return False
        self._waiting.append(taken)
        await self._call.write(self._request(taken[0]))
        return True

    async def _broken(self) -> bool:
        """Take note that all that waits is not answered; return whether that was the time's doing."""
        if self._timed_out:
            code, text = _DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED: no answer on a stream"
        else:
            status = await self._call.code()
            code = status.value[0] or _INTERNAL
            text = f"{status.name}: {await self._call.details() or 'the stream ended early'}"
        done = self._now()
        for _, start in self._waiting:
            self._judge.failed(code, text, start, start, done)
        self._waiting.clear()
        return code != _UNAVAILABLE

    async def _watch(self, timeout_s: float) -> None:
        """End the stream once an answer takes too long: gRPC knows deadlines of whole streams only."""
        while True:
            await asyncio.sleep(timeout_s / _LOOKS_PER_TIMEOUT)
            if self._waiting and self._now() - self._waiting[0][1] > timeout_s:
                self._timed_out = True
                self._call.cancel()
                return
