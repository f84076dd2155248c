"""What is logged, to be waited for."""

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager


class Logged(logging.Handler):
    """Keeps what a logger is told."""

    def __init__(self) -> None:
        super().__init__()
        self._messages: queue.Queue[str] = queue.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.put(record.getMessage())

    def wait(self, text: str) -> str:
        """Wait for the next message with this text, and return it."""
        while text not in (message := self._messages.get(timeout=20)):
            pass
        return message


@contextmanager
def logged(name: str) -> Iterator[Logged]:
    """Listen to a logger, from INFO on."""
    logger, handler = logging.getLogger(name), Logged()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
