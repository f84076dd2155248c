"""How far two frameworks' outputs are apart."""

from typing import Any

import numpy as np


def ulps(ours: Any, theirs: Any, *, unit_of: Any = None) -> float:
    """The largest difference of two arrays, in units in the last place of the largest number of the second.

    Sums of float32 in different orders differ by a few roundings of their largest terms, whatever becomes of the sum:
    hence the unit is that of the whole array, not of each element; or, if `unit_of` is given, of the largest in that.
    """
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs)
    assert ours.shape == theirs.shape
    largest = np.abs(theirs if unit_of is None else np.asarray(unit_of)).max()
    unit = float(np.spacing(largest.astype(np.float32)))
    return float(np.abs(ours - theirs.astype(np.float64)).max()) / unit
