"""The stream of the blocking client.

gRPC consumes the requests of a stream in a thread of its own, so the feed, and with it the caller's iterable, runs
there; the reader runs in the caller's thread.
"""

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Any

import grpc

from numbatch.client._answers import Expected, Outputs
from numbatch.client._errors import errors_of
from numbatch.client._requests import Inputs
from numbatch.client._streams import Broken, Ended, Note, Plan, Sent, cut_off
from numbatch.wire.errors import NumbatchError


def stream_answers(
    open_call: Callable[[Iterator[bytes]], Any],
    minibatches: Iterator[Inputs],
    encode: Callable[[Inputs], tuple[Expected, bytes]],
    plan: Plan,
) -> Generator[Outputs | NumbatchError, None, None]:
    """Give one result for each minibatch, in order; leaving the generator cancels the call."""
    feed = _Feed(minibatches, encode, plan.window)
    call = open_call(feed.requests())
    watchdog = _Watchdog(plan.call.timeout_s, call.cancel)
    try:
        if not call.add_callback(feed.call_is_over):
            feed.call_is_over()
        while not isinstance(note := feed.notes.get(), Ended):
            result = note if isinstance(note, NumbatchError) else _read(call, watchdog, note, plan)
            feed.answered()
            if isinstance(result, NumbatchError) and not plan.return_exceptions:
                raise result
            yield result
        if note.raised is not None:
            raise note.raised
        _read_end(call, watchdog)
    finally:
        # Whatever the way out: gRPC neither cancels nor frees a call that is merely forgotten.
        feed.stop()
        watchdog.stop()
        call.cancel()


def _read(call: Any, watchdog: "_Watchdog", note: Sent | Broken, plan: Plan) -> Outputs | NumbatchError:
    details = note.expected.call if isinstance(note, Sent) else plan.call
    with errors_of(details):
        try:
            with watchdog:
                answer = next(call)
        except grpc.RpcError:
            if watchdog.barked:
                raise plan.overdue() from None
            raise
        except StopIteration:
            raise cut_off(details) from None
        if isinstance(note, Broken):
            raise cut_off(details)
        return note.expected.read_streamed(answer)


def _read_end(call: Any, watchdog: "_Watchdog") -> None:
    # The server should see a stream that ended, not one that was cancelled. Every result is out: nothing can fail now.
    try:
        with watchdog:
            next(call, None)
    except grpc.RpcError:
        pass


class _Feed:
    """The requests of a stream, and the notes of what became of each minibatch."""

    def __init__(
        self, minibatches: Iterator[Inputs], encode: Callable[[Inputs], tuple[Expected, bytes]], window: int
    ) -> None:
        self.notes: SimpleQueue[Note] = SimpleQueue()
        self._minibatches = minibatches
        self._encode = encode
        self._slots = threading.Semaphore(window)
        self._stopped = False

    def requests(self) -> Iterator[bytes]:
        while True:
            self._slots.acquire()
            if self._stopped:
                return
            note, request = self._next()
            self.notes.put(note)
            if request:
                yield request
            elif isinstance(note, Ended):
                return

    def answered(self) -> None:
        self._slots.release()

    def stop(self) -> None:
        self._stopped = True
        self._slots.release()

    def call_is_over(self) -> None:
        self.notes.put(Broken())

    def _next(self) -> tuple[Note, bytes]:
        try:
            x = next(self._minibatches)
        except StopIteration:
            return Ended(), b""
        except BaseException as raised:  # theirs, whatever it is: raised where they read
            return Ended(raised), b""
        try:
            expected, request = self._encode(x)
        except NumbatchError as refused:
            return refused, b""
        except BaseException as raised:
            return Ended(raised), b""
        return Sent(expected), request


class _Watchdog:
    """Cancels the call when the wait for one answer takes too long.

    A deadline of the call's own would be one for the whole stream, and a blocking read takes none. A thread that sleeps
    until the current wait would be too long costs the reader two assignments an answer.
    """

    def __init__(self, timeout_s: float, cancel: Callable[[], object]) -> None:
        self.barked = False
        self._timeout_s = timeout_s
        self._cancel = cancel
        self._deadline = math.inf
        self._stopped = threading.Event()
        threading.Thread(target=self._watch, name="numbatch-stream-watchdog", daemon=True).start()

    def __enter__(self) -> None:
        self._deadline = time.monotonic() + self._timeout_s

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadline = math.inf

    def stop(self) -> None:
        self._stopped.set()

    def _watch(self) -> None:
        remaining = self._timeout_s
        while not self._stopped.wait(min(remaining, self._timeout_s)):
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                self.barked = True
                self._cancel()
                return
