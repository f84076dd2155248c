"""Callers that do not stop by themselves, and what became of their calls."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import numpy as np

from numbatch.client import Client
from numbatch.wire.errors import NumbatchError
from support.raw_calls import INFER, infer_request, raw_calls, read_answer

# At once, each with a connection of its own.
CALLERS = 8

# How a call ends that was not accepted: the server drains, or there is none.
_NOT_ACCEPTED = ("the server is shutting down", "onnection refused", "ailed to connect")


class Tally:
    """What became of calls: "answered", "refused", or in words how they failed."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()

    def add(self, outcome: str) -> None:
        with self._changed:
            self._counts[outcome] += 1
            self._changed.notify_all()

    def wait_answered(self, more: int) -> None:
        """Wait until so many more calls are answered."""
        with self._changed:
            goal = self._counts["answered"] + more
            if not self._changed.wait_for(lambda: self._counts["answered"] >= goal, timeout=60):
                raise TimeoutError(f"after a minute: {dict(self._counts)}")

    @property
    def counts(self) -> dict[str, int]:
        with self._changed:
            return dict(self._counts)

    @property
    def failures(self) -> dict[str, int]:
        """Those neither answered nor refused."""
        return {outcome: count for outcome, count in self.counts.items() if outcome not in ("answered", "refused")}


@contextmanager
def plain_callers(address: str, x: Any, expected: Any) -> Iterator[Tally]:
    """Call as any gRPC client does, without repeating anything: an accepted call that breaks off is seen.

    A caller ends when it is refused: a server that refuses accepts nothing any more.
    """
    request = infer_request("digits", x)

    def call(tally: Tally, stop: threading.Event) -> None:
        with raw_calls(address) as calls:
            while not stop.is_set():
                try:
                    _compare(read_answer(calls.unary(INFER, request, 30))[1][0][1], expected, tally)
                except grpc.RpcError as failure:
                    details = f"{failure.code().name}: {failure.details()}"
                    refused = any(text in details for text in _NOT_ACCEPTED)
                    tally.add("refused" if refused else details)
                    if refused:
                        return

    with _running(call) as tally:
        yield tally


@contextmanager
def clients(servers: list[str], x: Any, expected: Any) -> Iterator[Tally]:
    """Call with numbatch's client, which goes to another server, or to a new connection, by itself."""

    def call(tally: Tally, stop: threading.Event) -> None:
        with Client(servers if len(servers) > 1 else servers[0]) as client:
            while not stop.is_set():
                try:
                    _compare(client.infer("digits", x, timeout=30), expected, tally)
                except NumbatchError as failure:
                    tally.add(f"{failure.reason}: {failure.message}")

    with _running(call) as tally:
        yield tally


def _compare(answer: Any, expected: Any, tally: Tally) -> None:
    tally.add("answered" if np.array_equal(answer, expected) else "other bits")


@contextmanager
def _running(call: Callable[[Tally, threading.Event], None]) -> Iterator[Tally]:
    tally, stop = Tally(), threading.Event()
    threads = [threading.Thread(target=call, args=(tally, stop), daemon=True) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield tally
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
