"""Where a server stands between its start and its end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum


class Phase(IntEnum):
    """The phases, in their order; a server never goes back.

    LEAVING: it serves as before, and says that it is about to end. DRAINING: it finishes what it has, takes no more.
    """

    LOADING = 0
    READY = 1
    LEAVING = 2
    DRAINING = 3


class Lifecycle:
    """Knows the phase, and wakes those who watch. It belongs to the thread of the event loop."""

    def __init__(self) -> None:
        self._phase = Phase.LOADING
        self._watchers: set[Callable[[], None]] = set()

    @property
    def phase(self) -> Phase:
        """Where the server stands now."""
        return self._phase

    @property
    def ready(self) -> bool:
        """Whether requests are to be sent to the server: its models were loaded, or have failed."""
        return self._phase is Phase.READY

    @property
    def draining(self) -> bool:
        """Whether the server finishes what it has and takes no more."""
        return self._phase is Phase.DRAINING

    @property
    def ending(self) -> bool:
        """Whether the server is about to end, and those who can should turn to another one."""
        return self._phase >= Phase.LEAVING

    def enter(self, phase: Phase) -> None:
        """Go on to a phase, unless it is over already."""
        if phase > self._phase:
            self._phase = phase
            self.notify()

    def notify(self) -> None:
        """Wake the watchers: the phase or the models have changed."""
        for watcher in list(self._watchers):
            watcher()

    @contextmanager
    def watched_by(self, watcher: Callable[[], None]) -> Iterator[None]:
        """Call a function after every change, as long as the context lasts."""
        self._watchers.add(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)
