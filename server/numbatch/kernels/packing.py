"""Weights as the micro-kernels read them: panels.

A panel holds the weights of nr units (target.py), input after input, so that a micro-kernel reads memory in one
direction and every load is aligned::

    w[0, 0..nr)  w[1, 0..nr)  ...  w[K-1, 0..nr)  16 elements unused

The units after the last are padded with weights and biases of 0; their sums are computed and never looked at. The 64
bytes after each panel keep the same input of neighbouring panels out of the same cache set, where K is a power of two.
Packing costs about one pass over the weights and is done once, when a model is loaded.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.kernels.target import TARGET

Float32Array = npt.NDArray[np.float32]

_PADDING = 16
_ALIGNMENT_BYTES = 64


class PackedDense(NamedTuple):
    """Where the weights of a dense layer are in an arena. Positions in elements; strides too."""

    inputs: int
    units: int
    panels: int
    w_at: int
    panel_stride: int
    bias_at: int
    end: int


def layout(inputs: int, units: int, at: int) -> PackedDense:
    """Return where a layer's weights go if they start at a position, a multiple of 16."""
    panels = -(-units // TARGET.nr)
    stride = inputs * TARGET.nr + _PADDING
    bias_at = at + panels * stride
    return PackedDense(inputs, units, panels, at, stride, bias_at, bias_at + panels * TARGET.nr)


def pack(place: PackedDense, kernel: Float32Array, bias: Float32Array | None, arena: Float32Array) -> None:
    """Write a layer's weights to their place.

    Parameters
    ----------
    place : PackedDense
        From `layout`.
    kernel : ndarray of float32, shape (inputs, units)
        W; any strides, any alignment.
    bias : ndarray of float32, shape (units,), or None
        b. None: zeros.
    arena : ndarray of float32, one-dimensional
        From `aligned_zeros`: what is not written is 0.
    """
    nr = TARGET.nr
    for panel in range(place.panels):
        columns = kernel[:, panel * nr : (panel + 1) * nr]
        start = place.w_at + panel * place.panel_stride
        block = arena[start : start + place.inputs * nr].reshape(place.inputs, nr)
        block[:, : columns.shape[1]] = columns
    if bias is not None:
        arena[place.bias_at : place.bias_at + place.units] = bias


def unpack(place: PackedDense, arena: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return copies of the kernel and the bias that were packed."""
    nr = TARGET.nr
    kernel = np.empty((place.inputs, place.panels * nr), np.float32)
    for panel in range(place.panels):
        start = place.w_at + panel * place.panel_stride
        kernel[:, panel * nr : (panel + 1) * nr] = arena[start : start + place.inputs * nr].reshape(place.inputs, nr)
    bias = arena[place.bias_at : place.bias_at + place.units].copy()
    return np.ascontiguousarray(kernel[:, : place.units]), bias


def aligned_zeros(count: int) -> Float32Array:
    """Return so many zeros, starting at a multiple of 64 bytes."""
    spare = _ALIGNMENT_BYTES // 4
    memory = np.zeros(count + spare, np.float32)
    start = -memory.ctypes.data % _ALIGNMENT_BYTES // 4
    return memory[start : start + count]
