"""Waking up on time in an event loop.

Event loops round their timers up to whole milliseconds (epoll does), so that `asyncio.sleep` wakes half a millisecond
late on average: as long as a small network takes to answer. On Linux a timer of the kernel's that is read like a file
wakes the loop within some tens of microseconds. Elsewhere `asyncio.sleep` must do, and the send lag will tell.
"""

import asyncio
import ctypes
import os
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

_CLOCK_MONOTONIC = 1
_TFD_NONBLOCK, _TFD_CLOEXEC = os.O_NONBLOCK if sys.platform == "linux" else 0, 0o2000000
_ONE_SHOT = struct.Struct("@qqqq")  # struct itimerspec: the interval, then the time to the first


class Alarm:
    """Wakes one task. Of the running event loop, to be closed there."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._set, self._timer = _open_timer()
        if self._timer >= 0:
            self._loop.add_reader(self._timer, self._ring)

    async def wait(self, seconds: float) -> None:
        """Return so many seconds later."""
        nanoseconds = int(seconds * 1e9)
        if nanoseconds <= 0:
            return
        if self._timer < 0 or self._set is None:
            due = time.monotonic() + seconds
            await asyncio.sleep(seconds)
            if (early := due - time.monotonic()) > 0:  # by less than the clock of the event loop shows
                time.sleep(early)  # noqa: ASYNC251
            return
        self._waiter = self._loop.create_future()
        self._set(self._timer, 0, _ONE_SHOT.pack(0, 0, *divmod(nanoseconds, 10**9)), None)
        await self._waiter

    def close(self) -> None:
        """Give the timer back."""
        if self._timer >= 0:
            self._loop.remove_reader(self._timer)
            os.close(self._timer)
            self._timer = -1

    def _ring(self) -> None:
        try:
            os.read(self._timer, 8)
        except BlockingIOError:
            return
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _open_timer() -> tuple[Callable[..., Any] | None, int]:
    if sys.platform != "linux":
        return None, -1
    libc = ctypes.CDLL(None)
    try:
        create, set_ = libc.timerfd_create, libc.timerfd_settime
    except AttributeError:
        return None, -1
    return set_, int(create(_CLOCK_MONOTONIC, _TFD_NONBLOCK | _TFD_CLOEXEC))
