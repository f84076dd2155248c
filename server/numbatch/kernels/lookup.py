"""Rows of a table, looked up by their numbers, part of the numeric contract `f32-1`.

Without pooling they are copied. With it, S = 0, then S = S + row for each number in turn but the padding, and for the
mean S / (how many there were), or 0 where there were none.
"""

from typing import Any

import numba
import numpy as np

from numbatch.kernels.memory import copy, int_at, shift

APART, SUM, MEAN = range(3)
NO_PADDING = -1

_ZERO, _ONE = np.float32(0), np.float32(1)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def look_up(table: Any, units: int, ids: Any, count: int, target: Any, target_stride: int) -> None:
    """Copy the rows of `count` numbers, each to a row of its own."""
    for i in range(count):
        copy(shift(target, i * target_stride), shift(table, int_at(ids, i) * units), units)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def look_up_pooled(table: Any, units: int, ids: Any, count: int, target: Any, mean: bool, padding: int) -> None:
    """Write the sum or the mean of the rows of `count` numbers."""
    there = 0
    for unit in range(units):
        target[unit] = _ZERO
    for i in range(count):
        number = int_at(ids, i)
        if number != padding:
            there += 1
            row = shift(table, number * units)
            for unit in range(units):
                target[unit] = target[unit] + row[unit]
    if mean and there > 1:
        divisor = np.float32(there)
        for unit in range(units):
            target[unit] = target[unit] / divisor
