"""Ctrl-C while a step runs: it is ended early, and what was found until then is told."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from numbatch.loadtest.results import Results


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C while a load test ran.

    Attributes
    ----------
    results : Results
        Of what ran until then; their verdict says that it is not all.
    """

    def __init__(self, results: Results) -> None:
        super().__init__(results.reason)
        self.results = results


@contextmanager
def on_interrupt(react: Callable[[], None]) -> Iterator[None]:
    """Have Ctrl-C call a function in place of raising KeyboardInterrupt, the first time.

    It stays as it is where it means something else already, and outside the main thread, where it never is seen.
    """
    if (
        threading.current_thread() is not threading.main_thread()
        or signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield
        return

    def handle(_: int, __: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        react()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
