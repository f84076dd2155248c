"""The oracle of the layers that are not dense: `f32-1` once more, one number at a time, apart from the kernels."""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from numbatch.kernels.reference import row_sum
from numbatch.kernels.reference_elementary import fma

Float32Array = npt.NDArray[np.float32]

_ZERO, _ONE, _NAN = np.float32(0), np.float32(1), np.float32(np.nan)


@numba.njit(error_model="numpy")
def _affine(x: Any, mean: Any, factor: Any, offset: Any) -> None:
    for row in range(len(x)):
        for i in range(x.shape[1]):
            x[row, i] = fma(x[row, i] - mean[i], factor[i], offset[i])


@numba.njit(error_model="numpy")
def _layer_norm(x: Any, scale: Any, offset: Any, epsilon: np.float32) -> None:
    width = x.shape[1]
    count = np.float32(width)
    for row in range(len(x)):
        mean = row_sum(x[row]) / count
        lanes = np.zeros(16, np.float32)
        for i in range(width):
            d = x[row, i] - mean
            lanes[i % 16] = fma(d, d, lanes[i % 16])
        deviation = np.sqrt(row_sum(lanes) / count + epsilon)
        factor = _ONE / deviation
        for i in range(width):
            x[row, i] = fma((x[row, i] - mean) * factor, scale[i], offset[i])


@numba.njit(error_model="numpy")
def _look_up(ids: Any, table: Any, mean: bool, padding: int, rows: Any) -> None:
    for row in range(len(ids)):
        there = 0
        for number in ids[row]:
            if number != padding:
                there += 1
                for i in range(table.shape[1]):
                    rows[row, i] = rows[row, i] + table[number, i]
        if mean and there:
            for i in range(table.shape[1]):
                rows[row, i] = rows[row, i] / np.float32(there)


def affine(x: npt.ArrayLike, mean: Any, factor: Any, offset: Any) -> Float32Array:
    """Return factor (x - mean) + offset over the last axis of rows, the product and the sum rounded once."""
    z = np.array(x, np.float32, ndmin=2)
    _affine(z, *(np.ascontiguousarray(each, np.float32) for each in (mean, factor, offset)))
    return _canonical(z)


def folded(variance: Any, scale: Any, epsilon: float) -> Float32Array:
    """Return the factor of a normalisation: scale / sqrt(variance + epsilon), in float64, rounded once."""
    total = np.asarray(variance, np.float64) + np.float64(np.float32(epsilon))
    factor: Float32Array = (np.asarray(scale, np.float64) / np.sqrt(total)).astype(np.float32)
    return factor


def layer_norm(x: npt.ArrayLike, scale: Any, offset: Any, epsilon: float) -> Float32Array:
    """Return rows normalised by their own statistics, then scaled and shifted."""
    z = np.array(x, np.float32, ndmin=2)
    scale, offset = (np.ascontiguousarray(each, np.float32) for each in (scale, offset))
    _layer_norm(z, scale, offset, np.float32(epsilon))
    return _canonical(z)


def add(x: npt.ArrayLike, y: npt.ArrayLike) -> Float32Array:
    """Return x + y."""
    return _canonical(np.asarray(x, np.float32) + np.asarray(y, np.float32))


def multiply(x: npt.ArrayLike, y: npt.ArrayLike) -> Float32Array:
    """Return x y, element by element."""
    return _canonical(np.asarray(x, np.float32) * np.asarray(y, np.float32))


def look_up(ids: npt.ArrayLike, table: Any, *, mean: bool = False, padding: int = -1) -> Float32Array:
    """Return the sum or the mean of the rows of a table for each row of numbers."""
    numbers = np.array(ids, np.int64, ndmin=2)
    rows = np.zeros((len(numbers), table.shape[1]), np.float32)
    _look_up(numbers, np.ascontiguousarray(table, np.float32), mean, padding, rows)
    return rows


def _canonical(z: Float32Array) -> Float32Array:
    return np.where(np.isnan(z), _NAN, z).astype(np.float32)
