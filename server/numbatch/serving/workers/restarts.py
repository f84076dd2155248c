"""When a worker that ended is started again: a pure decision."""

from dataclasses import dataclass

# A worker that was ready for so long was well; what ended it is no part of a series.
STABLE_S = 60.0

# The second death in a row costs the first delay, each further one twice as much as the one before.
FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0

# Until the service has been ready once, a series of so many deaths is an error, and no bad luck.
TRIES_AT_START = 3


@dataclass(frozen=True)
class Restarts:
    """What is remembered of one worker.

    Attributes
    ----------
    deaths : int
        In a row, none after a time that was stable.
    """

    deaths: int = 0

    def died(self, ready_s: float) -> "Restarts":
        """Return what is remembered after one more death.

        Parameters
        ----------
        ready_s : float
            How long it had been ready; 0 if it never was.
        """
        return Restarts(1 if ready_s >= STABLE_S else self.deaths + 1)

    @property
    def delay_s(self) -> float:
        """How long to wait until the next start: not at all after the first death."""
        if self.deaths <= 1:
            return 0.0
        return float(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2 ** min(self.deaths - 2, 30)))

    def is_hopeless(self, *, service_was_ready: bool) -> bool:
        """Tell whether to give up.

        Only a start is given up, where someone waits for it. A service that has run is better tried again and again:
        what it lacks may come back, and until then the probes see that it does not answer.
        """
        return not service_was_ready and self.deaths >= TRIES_AT_START
