"""When a stream that broke is opened again. Pure: the time is an argument."""

import random
from collections.abc import Callable
from typing import TypeVar

from numbatch.wire.errors import NumbatchError
from numbatch.wire.reasons import Reason

_ResultT = TypeVar("_ResultT")

# The server is away or about to be; another one, or the same a moment later, may answer. CANCELLED is what gRPC's
# servers say of the calls that their end cuts off. Whatever else ends a stream would end the next one too.
_PASSING = {Reason.SERVER_DRAINING, Reason.SERVER_UNREACHABLE, Reason.CANCELLED}

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 2.0

# Without an answer in between; 6 to 11 s, in which a server that was restarted is back.
_MOST_TRIES = 10
# Where no answer ever came: as often as any other call.
_MOST_TRIES_AT_FIRST = 2

# A call that lived so long was a good one, even if there was nothing to answer.
_GOOD_S = 10.0


class Reconnection:
    """Decides, for one stream, whether and when it is opened again: at once where it had worked, then ever later.

    Parameters
    ----------
    wanted : bool
        False: never.
    uniform : callable
        Returns a random number in [0, 1): clients that were cut off together must not come back together.
    """

    def __init__(self, wanted: bool, uniform: Callable[[], float] = random.random) -> None:
        self._wanted = wanted
        self._uniform = uniform
        self._opened_at = 0.0
        self._has_worked = False
        self._tries = 0

    def opened(self, now: float) -> None:
        """Note that a call was opened."""
        self._opened_at = now

    def answered(self) -> None:
        """Note that an answer came."""
        self._has_worked = True
        self._tries = 0

    def accepted(self, result: _ResultT) -> _ResultT:
        """Return a result, noted as an answer; raise one that is none, as the server ended before it came to it."""
        if self._wanted and isinstance(result, NumbatchError) and result.reason is Reason.SERVER_DRAINING:
            raise result
        self.answered()
        return result

    def delay_s(self, failure: NumbatchError, now: float, deadline: float) -> float | None:
        """Return how long to wait before the next call is opened; None: the failure is final.

        Parameters
        ----------
        failure : NumbatchError
            How the last call ended.
        now, deadline : float
            Seconds of one clock: the present, and until when the answer that is waited for must have come.
        """
        if not self._wanted or failure.reason not in _PASSING:
            return None
        if now - self._opened_at >= _GOOD_S:
            self._tries = 0
            self._has_worked = True
        tries, self._tries = self._tries, self._tries + 1
        if tries >= (_MOST_TRIES if self._has_worked else _MOST_TRIES_AT_FIRST):
            return None
        if tries == 0 and self._has_worked:
            return 0.0
        longest = min(_FIRST_DELAY_S * 2 ** (tries - self._has_worked), _LONGEST_DELAY_S)
        delay_s = longest * (1 - 0.5 * self._uniform())
        return delay_s if now + delay_s < deadline else None
