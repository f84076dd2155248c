"""Whether a level that was sampled again and again grows: what a leak is, and what noise is.

Memory goes up and down with what is in flight; what leaks is seen where it is lowest. So samples are taken at rest,
those after the warm-up are cut into at most `WINDOWS` spans of time, and of each the lowest counts. Through these goes
the line of Theil and Sen: its slope is the median of the slopes of all pairs, which no outlier moves. How sure that
slope is follows from how many pairs agree (Sen's confidence interval, by the variance of Kendall's S): a level grows if
even the lower end of the interval, over the time that was watched, is more than is allowed.

What is allowed is a step that heaps and caches may take until they have seen everything, plus a rate for the time.
In two minutes the step decides: 2 MiB after twenty thousand requests find what leaks 100 bytes per request. In hours
the rate does.
"""

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

WINDOWS = 16
WARM_UP = 0.25
_LEAST_POINTS = 4

# One-sided, 95 %.
_Z = 1.645


class Growth(NamedTuple):
    """How a level grows, in its unit over the time that was watched.

    Attributes
    ----------
    first, last : float
        The medians of the first and of the last quarter of the windows.
    likely, least, most : float
        By the line: the growth itself, and the ends of its 90 % interval.
    hours : float
        The time that was watched, after the warm-up.
    """

    first: float
    last: float
    likely: float
    least: float
    most: float
    hours: float

    def exceeds(self, step: float, per_hour: float) -> bool:
        """Return whether it grows for sure by more than a step and a rate."""
        return self.least > step + per_hour * self.hours


def growth(times: Sequence[float], values: Sequence[float]) -> Growth:
    """Return how a level grows after the warm-up; the times are in seconds, and ascend."""
    began, ended = times[0] + WARM_UP * (times[-1] - times[0]), times[-1]
    duration = ended - began
    lowest: list[tuple[float, float] | None] = [None] * WINDOWS
    for time, value in zip(times, values, strict=True):
        if time < began:
            continue
        window = min(int(WINDOWS * (time - began) / duration), WINDOWS - 1)
        before = lowest[window]
        if before is None or value < before[1]:
            lowest[window] = (time, value)
    points = [point for point in lowest if point is not None]
    if len(points) < _LEAST_POINTS:
        raise ValueError(f"{len(points)} samples after the warm-up: too few to judge by, take more time")
    slopes = sorted((y2 - y1) / (t2 - t1) for i, (t1, y1) in enumerate(points) for t2, y2 in points[i + 1 :])
    n = len(points)
    unsure = _Z * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    least = slopes[max(math.floor((len(slopes) - unsure) / 2), 0)]
    most = slopes[min(math.ceil((len(slopes) + unsure) / 2), len(slopes) - 1)]
    levels = [value for _, value in points]
    quarter = max(len(levels) // 4, 1)
    return Growth(
        median(levels[:quarter]),
        median(levels[-quarter:]),
        median(slopes) * duration,
        least * duration,
        most * duration,
        duration / 3600,
    )
