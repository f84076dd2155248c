"""What is told while a load test runs."""

from collections.abc import Callable
from dataclasses import dataclass

from numbatch.loadtest.results import Point, Step


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    step : str
        What runs.
    number, of : int, int or None
        Which step it is, from 1, of how many, if that is known.
    elapsed_s, longest_s : float, float or None
        Since its start, and how long it takes, if that is known.
    warmup_s : float
        How much of that is warm-up.
    in_flight : int
        Requests that wait for answers.
    points : tuple of Point
        The complete seconds that were not told before.
    finished : Step or None
        The step, once it is over.
    """

    step: str
    number: int
    of: int | None
    elapsed_s: float
    longest_s: float | None
    warmup_s: float
    in_flight: int = 0
    points: tuple[Point, ...] = ()
    finished: Step | None = None


OnProgress = Callable[[Progress], None]
