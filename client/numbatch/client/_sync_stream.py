"""The stream of the blocking client: the reader, in the caller's thread."""

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Any, Self

import grpc

from numbatch.client._answers import Expected, Outputs
from numbatch.client._errors import CallDetails, errors_of, from_rpc_error
from numbatch.client._reconnection import Reconnection
from numbatch.client._requests import Inputs
from numbatch.client._streams import Plan, cut_off
from numbatch.client._sync_feed import Feed
from numbatch.client._window import Ended, Entry, Request
from numbatch.wire.errors import DeadlineExceededError, NumbatchError


def stream_answers(
    open_call: Callable[[Iterator[bytes]], Any],
    minibatches: Iterator[Inputs],
    encode: Callable[[Inputs], tuple[Expected, bytes]],
    plan: Plan,
) -> Generator[Outputs | NumbatchError, None, None]:
    """Give one result for each minibatch, in order; leaving the generator cancels the call."""
    feed = Feed(minibatches, encode, plan.window)
    with _Answers(open_call, feed, plan) as answers:
        while not isinstance(entry := answers.next_entry(), Ended):
            result = answers.read(entry) if isinstance(entry, Request) else entry
            feed.answered()
            if isinstance(result, NumbatchError) and not plan.return_exceptions:
                raise result
            yield result
        if entry.raised is not None:
            raise entry.raised
        answers.read_end()


class _Answers:
    """The answers of a stream, from one call after the other."""

    def __init__(self, open_call: Callable[[Iterator[bytes]], Any], feed: Feed, plan: Plan) -> None:
        self._open_call = open_call
        self._feed = feed
        self._plan = plan
        self._reconnection = Reconnection(plan.reconnect)
        self._number = 0
        self._call: Any = None

    def __enter__(self) -> Self:
        self._open()
        self._watchdog = _Watchdog(self._plan.call.timeout_s, lambda: self._call.cancel())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Whatever the way out: gRPC neither cancels nor frees a call that is merely forgotten.
        self._watchdog.stop()
        self._close()

    def next_entry(self) -> Entry:
        """Wait for the entry whose result is next; see meanwhile that there is a call."""
        while (entry := self._feed.first()) is None:
            self._read(self._plan.call, None)
        return entry

    def read(self, request: Request) -> Outputs | NumbatchError:
        """Wait for the result of a request."""
        result = self._read(request.expected.call, request)
        assert result is not None
        return result

    def read_end(self) -> None:
        """Wait until the call has ended: the server should see a stream that ended, not one that was cancelled."""
        try:
            with self._watchdog:
                next(self._call, None)
        except grpc.RpcError:
            pass  # every result is out: nothing can fail now

    def _read(self, details: CallDetails, request: Request | None) -> Outputs | NumbatchError | None:
        """Read the answer to a request, if need be on another call; without a request, only open that."""
        with errors_of(details), self._watchdog as deadline:
            broken: NumbatchError | None = None
            while True:
                try:
                    return self._read_once(details, request)
                except NumbatchError as failure:
                    if broken is not None and isinstance(failure, DeadlineExceededError):
                        raise broken from None  # says more of why no answer came
                    broken = failure
                self._reopen(broken, deadline)
                if request is None:
                    return None

    def _read_once(self, details: CallDetails, request: Request | None) -> Outputs | NumbatchError:
        try:
            answer = next(self._call)
        except grpc.RpcError as failure:
            if self._watchdog.barked:
                raise self._plan.overdue() from None
            raise from_rpc_error(failure, details) from failure
        except StopIteration:
            raise cut_off(details) from None
        if request is None:
            raise cut_off(details)
        return self._reconnection.accepted(request.expected.read_streamed(answer))

    def _reopen(self, broken: NumbatchError, deadline: float) -> None:
        delay_s = self._reconnection.delay_s(broken, time.monotonic(), deadline)
        if delay_s is None:
            raise broken
        self._close()
        time.sleep(delay_s)
        self._open()
        if self._watchdog.barked:  # perhaps at the call before
            raise broken

    def _open(self) -> None:
        self._number = number = self._number + 1
        self._call = self._open_call(self._feed.begin(number))
        self._reconnection.opened(time.monotonic())
        if not self._call.add_callback(lambda: self._feed.end(number)):
            self._feed.end(number)

    def _close(self) -> None:
        self._feed.end(self._number)
        self._call.cancel()


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

    def __enter__(self) -> float:
        self._deadline = deadline = time.monotonic() + self._timeout_s
        return deadline

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
