"""The status that the server gave a stream, which gRPC does not always keep.

Where a stream is over and its client still writes, the write fails, and grpc.aio then replaces the server's status by
an "Internal error from Core" of its own (grpc#36066). It calls back for each, though, so the right one can be kept.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import grpc.aio

T = TypeVar("T")

_REPLACEMENT = "Internal error from Core"

# How long the server's status may come after the replacement.
_PATIENCE_S = 1.0


class ServerStatus:
    """Keeps the status of one call."""

    def __init__(self) -> None:
        self._known = asyncio.Event()
        self._kept: grpc.aio.AioRpcError | None = None

    def keep(self, call: Any) -> None:
        """Keep the status that a call has now, unless it is the replacement: a done callback of the call."""
        details = _result(call.details())
        if details != _REPLACEMENT:
            initial, trailing = _result(call.initial_metadata()), _result(call.trailing_metadata())
            self._kept = grpc.aio.AioRpcError(_result(call.code()), initial, trailing, details)
            self._known.set()

    async def behind(self, failure: grpc.aio.AioRpcError) -> grpc.aio.AioRpcError:
        """Return what the server said where a failure is the replacement, else the failure; its code may be OK."""
        if failure.details() != _REPLACEMENT:
            return failure
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._known.wait()
        except TimeoutError:
            return failure
        return self._kept


def _result(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that has nothing to wait for, as those of a call that is over."""
    try:
        coroutine.send(None)
    except StopIteration as returned:
        result: T = returned.value
        return result
    coroutine.close()
    raise AssertionError("the call was not over")
