"""The oracle: `f32-1` written down once more, one number at a time, as plainly as it can be.

Every kernel is compared with this, bit for bit. It shares no code with the kernels: no tiles, no vectors, no packing.
The one thing that Python lacks is a fused multiply-add of float32 (computed in float64 it would be rounded twice); an
intrinsic of one instruction gives it. The activations of single elements are in reference_activations.py.
"""

from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from numbatch.kernels.reference_activations import FUNCTIONS
from numbatch.kernels.reference_elementary import exp, fma, log1p

Float32Array = npt.NDArray[np.float32]

_ZERO, _ONE = np.float32(0), np.float32(1)
_INFINITY, _NAN = np.float32(np.inf), np.float32(np.nan)


@numba.njit(error_model="numpy")
def _dense(x: Any, kernel: Any, bias: Any, z: Any) -> None:
    inputs, units = kernel.shape
    for row in range(len(x)):
        for unit in range(units):
            total = bias[unit]
            for start in range(0, inputs, 256):
                block = _ZERO
                for k in range(start, min(start + 256, inputs)):
                    block = fma(x[row, k], kernel[k, unit], block)
                total = total + block
            z[row, unit] = total


@numba.njit(error_model="numpy")
def _largest(row: Any) -> np.float32:
    largest = -_INFINITY
    for x in row:
        if x > largest or x != x:
            largest = x
    return largest


@numba.njit(error_model="numpy")
def row_sum(row: Any) -> np.float32:
    """Return the sum of a row in the order of the contract."""
    lanes = np.zeros(16, np.float32)
    for i in range(len(row)):
        lanes[i % 16] = lanes[i % 16] + row[i]
    for width in (8, 4, 2, 1):
        for lane in range(width):
            lanes[lane] = lanes[lane] + lanes[lane + width]
    return lanes[0]


@numba.njit(error_model="numpy")
def _softmax(row: Any) -> None:
    largest = _largest(row)
    for i in range(len(row)):
        row[i] = exp(row[i] - largest)
    total = row_sum(row)
    for i in range(len(row)):
        row[i] = row[i] / total


@numba.njit(error_model="numpy")
def _log_softmax(row: Any) -> None:
    largest = _largest(row)
    others, maxima = np.zeros(len(row), np.float32), 0
    for i in range(len(row)):
        row[i] = row[i] - largest
        if row[i] == _ZERO:
            maxima += 1
        else:
            others[i] = exp(row[i])
    log = log1p(row_sum(others) + (np.float32(maxima) - _ONE))
    for i in range(len(row)):
        row[i] = row[i] - log


@numba.njit(error_model="numpy")
def _over_rows(function: Any, z: Any) -> None:
    for row in range(len(z)):
        function(z[row])


@numba.njit(error_model="numpy")
def _over_elements(function: Any, z: Any, alpha: np.float32) -> None:
    for row in range(len(z)):
        for i in range(z.shape[1]):
            z[row, i] = function(z[row, i], alpha)


_ROW_FUNCTIONS = {"softmax": _softmax, "log_softmax": _log_softmax}


def activate(x: npt.ArrayLike, activation: str, alpha: float = 0.0) -> Float32Array:
    """Return an activation of every element, or of every row.

    Parameters
    ----------
    x : array_like of float32, shape (rows, width)
    activation : str
        "softmax", "log_softmax", or a key of `reference_activations.FUNCTIONS`.
    alpha : float
        Of those that have one.
    """
    z = np.array(x, np.float32, ndmin=2)
    if activation in _ROW_FUNCTIONS:
        _over_rows(_ROW_FUNCTIONS[activation], z)
    else:
        _over_elements(FUNCTIONS[activation], z, np.float32(alpha))
    z[np.isnan(z)] = _NAN
    return z


def dense(
    x: npt.ArrayLike,
    kernel: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
    activation: str = "linear",
    alpha: float = 0.0,
) -> Float32Array:
    """Return activation(x W + b) by the numeric contract.

    Parameters
    ----------
    x : array_like of float32, shape (rows, inputs)
    kernel : array_like of float32, shape (inputs, units)
    bias : array_like of float32, shape (units,), optional
        Default: zeros.
    activation : str
    alpha : float
        As for `activate`.

    Returns
    -------
    ndarray of float32, shape (rows, units)
    """
    x, kernel = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(kernel, np.float32)
    b = np.zeros(kernel.shape[1], np.float32) if bias is None else np.ascontiguousarray(bias, np.float32)
    z = np.empty((x.shape[0], kernel.shape[1]), np.float32)
    _dense(x, kernel, b, z)
    return activate(z, activation, alpha)
