"""When to send the next request, and when to stop: elapsed, sent -> wait or stop. Pure; whoever asks does the waiting.

An open loop's pace follows from the schedule alone, never from answers: a server that is slow is sent just as much, and
each request counts from the time when it was to start. In a closed loop answers set the pace, and the caller asks once
it has one.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """What to do.

    Attributes
    ----------
    wait_s : float
        How long to wait before sending; negative: it is that late.
    stop : bool
        Send no more.
    """

    wait_s: float = 0.0
    stop: bool = False


_STOP = Pace(stop=True)


@dataclass(frozen=True)
class Pacer:
    """The extent of a step.

    Attributes
    ----------
    warmup_s : float
        How long requests do not count.
    duration_s : float
        How long they do, after that.
    count : int or None
        Stop when so many that count were sent. None: when the time is over.
    """

    warmup_s: float = 0.0
    duration_s: float = math.inf
    count: int | None = None

    def pace(self, elapsed_s: float, sent: int, due_s: float | None = None) -> Pace:
        """Decide about the next request.

        Parameters
        ----------
        elapsed_s : float
            Since the start of the step.
        sent : int
            Requests so far that count: those since the warm-up.
        due_s : float, optional
            When the schedule wants it to start, since the start of the step. Default: as soon as possible.
        """
        start_s = elapsed_s if due_s is None else due_s
        if start_s >= self.warmup_s + self.duration_s:
            return _STOP
        if self.count is not None and sent >= self.count:
            return _STOP
        return Pace(start_s - elapsed_s)

    def counts(self, start_s: float) -> bool:
        """Return whether a request that starts then is one of those that count."""
        return self.warmup_s <= start_s < self.warmup_s + self.duration_s
