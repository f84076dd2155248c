"""What is being worked on, counted, so that an end can wait for it."""

import asyncio
from collections.abc import Coroutine
from typing import Any


class InProgress:
    """Counts what has begun and not ended. It belongs to the thread of the event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def count(self) -> int:
        """How many there are now."""
        return self._count

    def begin(self) -> None:
        """Count one more."""
        self._count += 1
        self._idle.clear()

    def end(self, _: Any = None) -> None:
        """Count one less; it may be the callback of a task."""
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until there are none."""
        await self._idle.wait()


async def comes_within(seconds: float, event: Coroutine[None, None, None]) -> bool:
    """Wait for something, at most so long, and return whether it came."""
    try:
        async with asyncio.timeout(seconds):  # wait_for() of Python 3.11 can miss that it is cancelled
            await event
    except TimeoutError:
        return False
    return True
