"""How many lines of a kind the log gets: a burst, then a few each second; the rest is counted."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(slots=True)
class _Kind:
    tokens: float
    seen_at: float
    suppressed: int = 0


class Throttle:
    """Decides which lines are written.

    Parameters
    ----------
    burst : int
        So many of a kind at once.
    per_s : float
        So many each second in the long run.
    """

    def __init__(self, burst: int, per_s: float) -> None:
        self._burst = burst
        self._per_s = per_s
        self._kinds: dict[str, _Kind] = {}

    def admit(self, kind: str, now: float) -> bool:
        """Say whether a line is to be written; one that is not, is counted.

        Parameters
        ----------
        kind : str
            Of which there are few.
        now : float
            In seconds.
        """
        state = self._kinds.setdefault(kind, _Kind(self._burst, now))
        state.tokens = min(self._burst, state.tokens + (now - state.seen_at) * self._per_s)
        state.seen_at = now
        if state.tokens < 1:
            state.suppressed += 1
            return False
        state.tokens -= 1
        return True

    def suppressed(self) -> Iterator[tuple[str, int]]:
        """Yield each kind of which lines were left out since this was last asked, and how many."""
        for kind, state in self._kinds.items():
            if state.suppressed:
                count, state.suppressed = state.suppressed, 0
                yield kind, count
