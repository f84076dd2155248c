"""Weights as the micro-kernels read them: panels.

A panel holds the weights of NR units (target.py), input after input, so that a micro-kernel reads memory in one
direction and every load is aligned::

    w[0, 0..NR)  w[1, 0..NR)  ...  w[K-1, 0..NR)  NR elements unused

As bfloat16, two inputs share a line: element n of line k holds w[2k, n] in its low half, w[2k+1, n] in its high half.

The units after the last are padded with weights and biases of 0; their sums are computed and never looked at. The 64
bytes after each panel keep the same input of neighbouring panels out of the same cache set, where K is a power of two.
Packing costs about one pass over the weights and is done once, when a model is loaded.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.kernels.target import NR

Float32Array = npt.NDArray[np.float32]


class PackedDense(NamedTuple):
    """Where the weights of a dense layer are in an arena. Positions in elements of 4 bytes; strides too."""

    inputs: int
    units: int
    bf16: bool
    panels: int
    w_at: int
    panel_stride: int
    bias_at: int
    end: int

    @property
    def lines(self) -> int:
        """The lines of NR elements of a panel."""
        return -(-self.inputs // 2) if self.bf16 else self.inputs


def layout(inputs: int, units: int, at: int, *, bf16: bool = False) -> PackedDense:
    """Return where a layer's weights go if they start at a position, a multiple of 16."""
    panels = -(-units // NR)
    place = PackedDense(inputs, units, bf16, panels, at, 0, 0, 0)
    stride = (place.lines + 1) * NR
    bias_at = at + panels * stride
    return place._replace(panel_stride=stride, bias_at=bias_at, end=bias_at + panels * NR)


def pack(place: PackedDense, kernel: Float32Array, bias: Float32Array | None, arena: Float32Array) -> None:
    """Write a layer's weights to their place.

    Parameters
    ----------
    place : PackedDense
        From `layout`.
    kernel : ndarray of float32, shape (inputs, units)
        W; any strides, any alignment. For bfloat16, numbers that are: their lower halves are left out.
    bias : ndarray of float32, shape (units,), or None
        b. None: zeros.
    arena : ndarray of float32, one-dimensional
        From `aligned_zeros`: what is not written is 0.
    """
    for panel, block in enumerate(_panels(place, arena)):
        columns = kernel[:, panel * NR : (panel + 1) * NR]
        if place.bf16:
            halves = np.ascontiguousarray(columns).view(np.uint32) >> 16
            numbers = block.view(np.uint32)[:, : columns.shape[1]]
            numbers[:] = halves[::2]
            numbers[: len(halves) // 2] |= halves[1::2] << 16
        else:
            block[:, : columns.shape[1]] = columns
    if bias is not None:
        arena[place.bias_at : place.bias_at + place.units] = bias


def unpack(place: PackedDense, arena: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return copies of the kernel and the bias that were packed."""
    kernel = np.empty((place.inputs, place.panels * NR), np.float32)
    for panel, block in enumerate(_panels(place, arena)):
        columns = kernel[:, panel * NR : (panel + 1) * NR]
        if place.bf16:
            numbers = block.view(np.uint32)
            columns[::2] = (numbers << 16).view(np.float32)
            columns[1::2] = (numbers[: place.inputs // 2] & np.uint32(0xFFFF0000)).view(np.float32)
        else:
            columns[:] = block
    bias = arena[place.bias_at : place.bias_at + place.units].copy()
    return np.ascontiguousarray(kernel[:, : place.units]), bias


def _panels(place: PackedDense, arena: Float32Array) -> list[Float32Array]:
    starts = [place.w_at + panel * place.panel_stride for panel in range(place.panels)]
    return [arena[start : start + place.lines * NR].reshape(place.lines, NR) for start in starts]
