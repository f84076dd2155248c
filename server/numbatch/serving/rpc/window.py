"""How far a stream is read ahead of its answers: in requests, and in bytes."""

import asyncio
from typing import NamedTuple


class StreamLimits(NamedTuple):
    """What one stream may take up.

    Attributes
    ----------
    window : int
        How many requests are read before the first of them is answered.
    window_bytes : int
        No further request is read while those that are not answered have so many bytes.
    stall_s : float
        How long its peer may leave answers unread.
    """

    window: int
    window_bytes: int
    stall_s: float


class Window:
    """Counts the requests that are not answered yet, and says when there is room for another.

    The size of a request is known only when it was read, so the last one may exceed the limit in bytes.
    """

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._requests = 0
        self._bytes = 0
        self._room = asyncio.Event()
        self._room.set()

    async def wait(self) -> None:
        """Wait until there is room, or the window is open for good."""
        await self._room.wait()

    def take(self, size: int) -> None:
        """Count a request that was read."""
        self._requests += 1
        self._bytes += size
        if self._requests >= self._limits.window or self._bytes >= self._limits.window_bytes:
            self._room.clear()

    def give_back(self, size: int) -> None:
        """Count a request that was answered."""
        self._requests -= 1
        self._bytes -= size
        if self._requests < self._limits.window and self._bytes < self._limits.window_bytes:
            self._room.set()

    def open(self) -> None:
        """Let whoever waits go on; nothing is to be read any more."""
        self._room.set()
