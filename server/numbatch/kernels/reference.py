"""The oracle: `f32-1` written down once more, one number at a time, as plainly as it can be.

Every kernel is compared with this, bit for bit. It shares no code with the kernels: no tiles, no vectors, no packing.
The one thing that Python lacks is a fused multiply-add of float32 (computed in float64 it would be rounded twice); an
intrinsic of one instruction gives it.
"""

import math
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

from numbatch.kernels import simd

Float32Array = npt.NDArray[np.float32]

_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_INFINITY, _NAN = np.float32(np.inf), np.float32(np.nan)
_LOG2_E, _LN2_HI = np.float32(1.44269502162933349609375), np.float32(0.693147182464599609375)
_LN2_LO = np.float32(-1.904654299957767e-09)
_TERMS = tuple(np.float32(1 / math.factorial(n)) for n in range(7, 1, -1))


@intrinsic
def fma(typingctx: Any, x: Any, y: Any, z: Any) -> Any:
    """Return x y + z of three float32, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return simd.fma(builder, *args)

    return types.float32(types.float32, types.float32, types.float32), codegen


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
def _expm1_of_rest(x: np.float32) -> tuple[np.float32, int]:
    """Return e and b of x = b ln 2 + r, e = exp(r) - 1."""
    whole = np.float32(np.rint(x * _LOG2_E))
    r = fma(whole, -_LN2_LO, fma(whole, -_LN2_HI, x))
    terms = _TERMS[0]
    for term in _TERMS[1:]:
        terms = fma(terms, r, term)
    return fma(r * r, terms, r), int(whole)


@numba.njit(error_model="numpy")
def _exp(x: np.float32) -> np.float32:
    if x != x:
        return _NAN
    e, power = _expm1_of_rest(min(max(x, np.float32(-104)), np.float32(89)))
    half = power // 2
    first, second = np.float32(math.ldexp(1.0, half)), np.float32(math.ldexp(1.0, power - half))
    return fma(first, e, first) * second


@numba.njit(error_model="numpy")
def _sigmoid(x: np.float32) -> np.float32:
    e = _exp(-abs(x))
    return e / (_ONE + e) if x < _ZERO else _ONE / (_ONE + e)


@numba.njit(error_model="numpy")
def _tanh(x: np.float32) -> np.float32:
    if x != x:
        return _NAN
    e, power = _expm1_of_rest(max(np.float32(-2) * abs(x), np.float32(-40)))
    scale = np.float32(math.ldexp(1.0, power))
    m = fma(scale, e, scale - _ONE)
    return np.float32(math.copysign(m / (m + _TWO), x))


@numba.njit(error_model="numpy")
def _relu(x: np.float32) -> np.float32:
    return x if x > _ZERO or x != x else _ZERO


@numba.njit(error_model="numpy")
def _softmax(row: Any) -> None:
    largest = -_INFINITY
    for x in row:
        if x > largest or x != x:
            largest = x
    lanes = np.zeros(16, np.float32)
    for i in range(len(row)):
        row[i] = _exp(row[i] - largest)
        lanes[i % 16] = lanes[i % 16] + row[i]
    for width in (8, 4, 2, 1):
        for lane in range(width):
            lanes[lane] = lanes[lane] + lanes[lane + width]
    for i in range(len(row)):
        row[i] = row[i] / lanes[0]


@numba.njit(error_model="numpy")
def _apply(activation: str, z: Any) -> None:
    for row in range(len(z)):
        if activation == "softmax":
            _softmax(z[row])
        for i in range(z.shape[1]):
            value = z[row, i]
            if activation == "relu":
                value = _relu(value)
            elif activation == "sigmoid":
                value = _sigmoid(value)
            elif activation == "tanh":
                value = _tanh(value)
            z[row, i] = value if value == value else _NAN


def activate(x: npt.ArrayLike, activation: str) -> Float32Array:
    """Return an activation of every element, or the softmax of every row.

    Parameters
    ----------
    x : array_like of float32, shape (rows, width)
    activation : {"linear", "relu", "sigmoid", "tanh", "softmax"}
    """
    z = np.array(x, np.float32, ndmin=2)
    _apply(activation, z)
    return z


def dense(
    x: npt.ArrayLike, kernel: npt.ArrayLike, bias: npt.ArrayLike | None = None, activation: str = "linear"
) -> Float32Array:
    """Return activation(x W + b) by the numeric contract.

    Parameters
    ----------
    x : array_like of float32, shape (rows, inputs)
    kernel : array_like of float32, shape (inputs, units)
    bias : array_like of float32, shape (units,), optional
        Default: zeros.
    activation : {"linear", "relu", "sigmoid", "tanh", "softmax"}

    Returns
    -------
    ndarray of float32, shape (rows, units)
    """
    x, kernel = np.ascontiguousarray(x, np.float32), np.ascontiguousarray(kernel, np.float32)
    b = np.zeros(kernel.shape[1], np.float32) if bias is None else np.ascontiguousarray(bias, np.float32)
    z = np.empty((x.shape[0], kernel.shape[1]), np.float32)
    _dense(x, kernel, b, z)
    return activate(z, activation)
