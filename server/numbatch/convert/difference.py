"""How far arrays are from others that should be the same."""

import math
from dataclasses import dataclass

import numpy as np

from numbatch.wire.tensors import Array


@dataclass
class Difference:
    """How far arrays are from those of a baseline, gathered minibatch by minibatch in float64.

    Two NaN, or two equal infinities, are no difference; one alone is an infinite one. An ulp is the distance of two
    neighbouring float32.

    Attributes
    ----------
    max_abs : float
        The largest difference of two elements.
    max_relative : float
        The largest difference by the baseline's element, where that is not 0.
    max_ulp : float
        The largest difference in ulp of the larger of the two elements. Where both are close to 0 it is a large number
        that means little.
    largest : float
        The largest finite element of the baseline, without its sign.
    not_finite_alone : int
        How many elements are NaN or infinite in one of the two and not the same in the other.
    """

    max_abs: float = 0.0
    max_relative: float = 0.0
    max_ulp: float = 0.0
    largest: float = 0.0
    not_finite_alone: int = 0
    _elements: int = 0
    _squares: float = 0.0
    _baseline_squares: float = 0.0
    _vectors: int = 0
    _same_largest: int = 0

    def add(self, baseline: Array, candidate: Array) -> None:
        """Take the outputs of a minibatch, of one shape."""
        a, b = np.asarray(baseline, np.float64), np.asarray(candidate, np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            difference = np.abs(b - a)
            difference[np.isnan(difference)] = np.inf
            difference[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
            relative = difference / np.abs(a)
            ulps = difference / _ulp(np.fmax(np.abs(a), np.abs(b)))
        relative[np.isnan(relative)] = np.inf
        relative[(difference == 0) | (a == 0)] = 0.0
        ulps[np.isinf(difference)] = np.inf
        ulps[difference == 0] = 0.0
        self.max_abs = max(self.max_abs, float(difference.max()))
        self.max_relative = max(self.max_relative, float(relative.max()))
        self.max_ulp = max(self.max_ulp, float(ulps.max()))
        self.largest = max(self.largest, float(np.abs(a[np.isfinite(a)]).max(initial=0.0)))
        self.not_finite_alone += int(np.isinf(difference).sum())
        self._elements += a.size
        self._squares += float(np.sum(difference**2))
        self._baseline_squares += float(np.sum(a**2))
        same = a.argmax(-1) == b.argmax(-1)
        self._vectors += same.size
        self._same_largest += int(same.sum())

    @property
    def max_ulp_of_largest(self) -> float:
        """The largest difference in ulp of the baseline's largest element: what a sum in another order changes."""
        if math.isinf(self.max_abs):
            return math.inf
        return self.max_abs / float(_ulp(np.float64(self.largest)))

    @property
    def rms(self) -> float:
        """The root of the differences' mean square."""
        return math.sqrt(self._squares / self._elements)

    @property
    def relative_rms(self) -> float | None:
        """The same by the root mean square of the baseline; None where that is 0 or not finite."""
        if self._squares == 0:
            return 0.0
        scale = self._baseline_squares
        return math.sqrt(self._squares / scale) if scale and math.isfinite(scale) else None

    @property
    def same_largest(self) -> float:
        """How often the largest element along the last axis is at the same place in both: 0 to 1."""
        return self._same_largest / self._vectors


def _ulp(magnitude: Array | np.float64) -> Array:
    """Return the distance of the float32 at each magnitude to the next; of an infinity, any number."""
    _, exponent = np.frexp(magnitude)
    return np.asarray(np.ldexp(1.0, np.maximum(exponent - 1, -126) - 23))
