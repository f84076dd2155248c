"""How many functions Numba has compiled in this process since this file was imported.

What is taken from the cache is not compiled. A server that is ready compiles nothing: a request would wait seconds for
it.
"""

import threading
from typing import Any

from numba.core import event


class _Counter(event.Listener):  # type: ignore[misc]
    """Counts beginnings: a compilation that fails has cost its time as well."""

    def __init__(self) -> None:
        self.count = 0
        self._lock = threading.Lock()

    def on_start(self, event: Any) -> None:
        with self._lock:
            self.count += 1

    def on_end(self, event: Any) -> None:
        pass


_COUNTER = _Counter()
event.register("numba:compile", _COUNTER)


def compilations() -> int:
    """Return the number of functions that were compiled."""
    return _COUNTER.count
