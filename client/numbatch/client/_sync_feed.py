"""The requests of the blocking client's streams.

gRPC consumes the requests of a call in a thread of its own, so the caller's iterable is advanced there. When a call
breaks, its thread may be waiting in the iterable, for ever perhaps; the next call's thread sends again what is
unanswered meanwhile, and what the other one was waiting for when it comes. No second thread waits in the iterable, so
the thread of every other call ends with it.
"""

import threading
from collections.abc import Callable, Iterator

from numbatch.client._answers import Expected
from numbatch.client._requests import Inputs
from numbatch.client._window import Ended, Entry, Request, Window
from numbatch.wire.errors import NumbatchError


class Feed:
    """Takes minibatches from the source and sends them, on one call after the other.

    Parameters
    ----------
    minibatches : iterator
        The source.
    encode : callable
        Makes the request of a minibatch, or raises NumbatchError.
    window : int
        At most so many minibatches are without a result.
    """

    def __init__(
        self, minibatches: Iterator[Inputs], encode: Callable[[Inputs], tuple[Expected, bytes]], window: int
    ) -> None:
        self._minibatches = minibatches
        self._encode = encode
        self._window = Window(window)
        self._call = 0  # the number of the current call; 0: none
        self._taking = False  # whether a thread is in the source
        self._changed = threading.Condition(threading.Lock())  # guards all of these

    def begin(self, number: int) -> Iterator[bytes]:
        """Return the requests of a new call; what has no answer comes first."""
        with self._changed:
            self._call = number
            self._window.broken()
        return self._requests(number)

    def end(self, number: int) -> None:
        """Send nothing more on a call."""
        with self._changed:
            if self._call == number:
                self._call = 0
                self._changed.notify_all()

    def first(self) -> Entry | None:
        """Wait for the entry whose result is next, and return it; None if there is none and the call has ended."""
        with self._changed:
            while self._window.first is None and self._call:
                self._changed.wait()
            return self._window.first

    def answered(self) -> None:
        """Let go of the first entry, and take another minibatch for it."""
        with self._changed:
            self._window.answered()
            self._changed.notify_all()

    def _requests(self, number: int) -> Iterator[bytes]:
        while True:
            with self._changed:
                while self._call == number and not (self._window.has_unsent or self._may_take):
                    self._changed.wait()
                if self._call != number:
                    return
                request = self._window.next_request()
                if request is None:
                    if self._window.has_end:
                        return
                    if not self._may_take:
                        continue
                    self._taking = True
            if request is None:
                self._take()
            else:
                yield request

    @property
    def _may_take(self) -> bool:
        return self._window.has_room and not self._taking

    def _take(self) -> None:
        entry = self._next()
        with self._changed:
            self._taking = False
            self._window.add(entry)
            self._changed.notify_all()

    def _next(self) -> Entry:
        try:
            x = next(self._minibatches)
        except StopIteration:
            return Ended()
        except BaseException as raised:  # theirs, whatever it is: raised where they read
            return Ended(raised)
        try:
            return Request(*self._encode(x))
        except NumbatchError as refused:
            return refused
        except BaseException as raised:
            return Ended(raised)
