"""The highest rate that holds an objective: which rate to try next. A pure state machine; whoever asks runs the trials.

Up in steps of `growth` until a rate fails (down, if the first one does), then by bisection until the bounds are within
`precision`, then the best rate again, `confirmations` times. If it does not hold each time, it counts as failed and the
search goes on below it: a rate that holds now and then is not one that holds.

A rate that fails while the generator was itself in trouble may have failed by that: it is tried again, twice at most.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Literal

Phase = Literal["ramp", "bisect", "confirm"]

# Below this no server is searched for.
_SLOWEST_PER_S = 0.1
_MOST_DOUBTS = 2


@dataclass(frozen=True)
class Search:
    """What is known after some trials. `record` returns the next state.

    Attributes
    ----------
    start : float
        The rate that is tried first.
    growth : float
        By what the rate grows from trial to trial in the ramp.
    precision : float
        The search ends when the rate that failed is at most so much above the one that held, as a share of it.
    confirmations : int
        How often the found rate must hold again.
    limit : float
        No rate above it is tried.
    held, failed : float
        The highest rate that held, 0: none so far; and the lowest that failed.
    lower : tuple of float
        The rates that held below `held`, upwards: where to go if that is not confirmed.
    confirmed : int
        How often `held` has held again.
    doubted : tuple of (float, str), or None
        The rate that is to be tried again, and what for.
    doubts : int
        How often it was tried again.
    """

    start: float
    growth: float = 2.0
    precision: float = 0.05
    confirmations: int = 3
    limit: float = math.inf
    held: float = 0.0
    failed: float = math.inf
    lower: tuple[float, ...] = field(default=())
    confirmed: int = 0
    doubted: tuple[float, Phase] | None = None
    doubts: int = 0

    def next(self) -> tuple[float, Phase] | None:
        """Return the rate to try, and what for; None: the search is over."""
        if self.doubted is not None:
            return self.doubted
        if not self.held:
            rate = self.start if math.isinf(self.failed) else self.failed / self.growth
            return None if rate < _SLOWEST_PER_S else (min(rate, self.limit), "ramp")
        if math.isinf(self.failed) and self.held < self.limit:
            return min(self.held * self.growth, self.limit), "ramp"
        if self.failed > self.held * (1 + self.precision) and self.held < self.limit:
            # The geometric middle: rates are judged in proportion.
            return math.sqrt(self.held * self.failed), "bisect"
        return None if self.confirmed >= self.confirmations else (self.held, "confirm")

    def record(self, rate: float, held: bool, *, doubtful: bool = False) -> "Search":
        """Return the state after a trial of what `next` said.

        Parameters
        ----------
        rate : float
            The rate.
        held : bool
            Whether the objective held.
        doubtful : bool
            Whether that may be the generator's doing, if it did not.
        """
        if not held and doubtful and self.doubts < _MOST_DOUBTS:
            return replace(self, doubted=self.next(), doubts=self.doubts + 1)
        return replace(self, doubted=None, doubts=0)._after(rate, held)

    def _after(self, rate: float, held: bool) -> "Search":
        if held and rate == self.held:
            return replace(self, confirmed=self.confirmed + 1)
        if held:
            lower = (*self.lower, self.held) if self.held else self.lower
            return replace(self, held=rate, lower=lower, confirmed=0)
        lower = tuple(one for one in (*self.lower, self.held) if 0 < one < rate)
        # What had held below is where the search goes on.
        return replace(
            self, failed=min(rate, self.failed), held=lower[-1] if lower else 0.0, lower=lower[:-1], confirmed=0
        )

    @property
    def max_rate(self) -> float:
        """The answer, once `next` is None: 0 if no rate held."""
        return self.held if self.confirmed >= self.confirmations else 0.0
