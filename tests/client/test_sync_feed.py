"""The threads that send the requests of a stream, where its calls break one after the other. No server."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from numbatch.client._answers import Expected
from numbatch.client._errors import CallDetails
from numbatch.client._sync_feed import Feed


def encode(x: Any) -> tuple[Expected, bytes]:
    return Expected(CallDetails("server", 1.0), None), x.tobytes()


def test_one_thread_waits_in_the_source_and_those_of_broken_calls_end() -> None:
    waiting, release = threading.Event(), threading.Event()

    def source() -> Iterator[Any]:
        yield np.zeros(1)
        waiting.set()
        release.wait(30)

    def call(number: int) -> threading.Thread:
        """Begin a call, see that it sends what is unanswered, and break it."""

        def send() -> None:
            for _ in requests:
                sent.set()

        requests, sent = feed.begin(number), threading.Event()
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        assert sent.wait(10)
        assert waiting.wait(10)
        feed.end(number)
        return thread

    feed = Feed(source(), encode, window=4)
    first, *others = [call(number) for number in range(1, 51)]
    for thread in others:
        thread.join(10)
        assert not thread.is_alive()
    assert first.is_alive()
    release.set()
    first.join(10)
    assert not first.is_alive()
