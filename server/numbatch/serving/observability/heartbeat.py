"""A beat on the event loop, four times a second: how late it comes says how long the loop was held up."""

from collections.abc import Callable
from typing import Protocol

BEAT_S = 0.25


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """See that it does not."""


class Clockwork(Protocol):
    """The part of an event loop that is used here."""

    def time(self) -> float:
        """Return the loop's time."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call a function at a time."""


class Heartbeat:
    """Beats until it is stopped.

    Parameters
    ----------
    loop : event loop
        Where it beats.
    on_beat : callable
        Called with the seconds that the beat came late, and the loop's time.
    """

    def __init__(self, loop: Clockwork, on_beat: Callable[[float, float], None]) -> None:
        self._loop = loop
        self._on_beat = on_beat
        self._timer: Timer | None = None

    def start(self) -> None:
        """Begin."""
        self._due = self._loop.time() + BEAT_S
        self._timer = self._loop.call_at(self._due, self._beat)

    def stop(self) -> None:
        """End; it may be called more than once."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self) -> None:
        now = self._loop.time()
        lag_s = max(0.0, now - self._due)
        self.start()  # first: a beat that fails is not the last
        self._on_beat(lag_s, now)
