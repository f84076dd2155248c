"""Weights as the micro-kernels read them: blocks of inputs, in each of them panels of units.

A panel of a block holds the weights of NR units (target.py) for KB inputs, input after input. The panels of a block
follow each other, then come those of the next block::

    block 0:  w[0, 0..NR)  w[1, 0..NR)  ...  w[KB-1, 0..NR)  NR elements unused,  w[0, NR..2 NR)  ...
    block 1:  w[KB, 0..NR) ...

That is the order in which a layer is computed, so that whatever the batch the weights are one stream of memory, read in
one direction, and every load is aligned. As bfloat16, two panels share their lines:
element n of a line holds a weight of the even panel in its low half, that of the odd panel for the same input in its
high half.

The units after the last are padded with weights and biases of 0; their sums are computed and never looked at. The 64
bytes after each panel keep the same input of neighbouring panels out of the same cache set. Packing costs about one
pass over the weights and is done once, when a model is loaded.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.kernels.microkernel import KB, stream_count
from numbatch.kernels.target import NR

Float32Array = npt.NDArray[np.float32]

_HIGH_HALF = np.uint32(0xFFFF0000)


class PackedDense(NamedTuple):
    """Where the weights of a dense layer are in an arena. Positions in elements of 4 bytes."""

    inputs: int
    units: int
    bf16: bool
    panels: int
    w_at: int
    bias_at: int
    end: int


def stream_stride(inputs: int) -> int:
    """Return the distance of the streams of a block of so many inputs, in elements of 4 bytes."""
    return (inputs + 1) * NR


def layout(inputs: int, units: int, at: int, *, bf16: bool = False) -> PackedDense:
    """Return where a layer's weights go if they start at a position, a multiple of 16.

    A single panel has nothing to share its lines with: it stays float32, and is not widened in every loop.
    """
    panels = -(-units // NR)
    bf16 = bf16 and panels > 1
    whole, rest = divmod(inputs, KB)
    size = whole * stream_stride(KB) + (stream_stride(rest) if rest else 0)
    bias_at = at + stream_count(panels, bf16) * size
    return PackedDense(inputs, units, bf16, panels, at, bias_at, bias_at + panels * NR)


def pack(place: PackedDense, kernel: Float32Array, arena: Float32Array, first: int = 0) -> None:
    """Write a layer's weights to their place, all of them or those of some inputs.

    Parameters
    ----------
    place : PackedDense
        From `layout`.
    kernel : ndarray of float32, shape (inputs, units)
        W, or some rows of it; any strides, any alignment. For bfloat16, numbers that are: their lower halves are
        left out.
    arena : ndarray of float32, one-dimensional
        From `aligned_zeros`: what is not written is 0.
    first : int
        The first input of the rows, a multiple of KB.
    """
    for inputs, units, lines in _streams(place, arena, first, first + len(kernel)):
        weights = kernel[inputs.start - first : inputs.stop - first, units]
        if place.bf16:
            halves = np.ascontiguousarray(weights).view(np.uint32)
            even, odd = halves[:, :NR], halves[:, NR:]
            numbers = lines.view(np.uint32)
            numbers[:, : even.shape[1]] = even >> 16
            numbers[:, : odd.shape[1]] |= odd & _HIGH_HALF
        else:
            lines[:, : weights.shape[1]] = weights


def pack_bias(place: PackedDense, bias: Float32Array, arena: Float32Array) -> None:
    """Write a layer's bias, of shape (units,), to its place; without it, it is 0."""
    arena[place.bias_at : place.bias_at + place.units] = bias


def unpack(place: PackedDense, arena: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Return copies of the kernel and the bias that were packed."""
    kernel = np.empty((place.inputs, place.units), np.float32)
    for inputs, units, lines in _streams(place, arena, 0, place.inputs):
        weights = kernel[inputs, units]
        if place.bf16:
            numbers = lines.view(np.uint32)
            even, odd = weights[:, :NR], weights[:, NR:]
            even[:] = (numbers << 16).view(np.float32)[:, : even.shape[1]]
            odd[:] = (numbers & _HIGH_HALF).view(np.float32)[:, : odd.shape[1]]
        else:
            weights[:] = lines[:, : weights.shape[1]]
    return kernel, arena[place.bias_at : place.bias_at + place.units].copy()


def _streams(
    place: PackedDense, arena: Float32Array, first: int, end: int
) -> Iterator[tuple[slice, slice, Float32Array]]:
    """Give the inputs, the units and the lines of each stream of some blocks, from one input to before another."""
    streams = stream_count(place.panels, place.bf16)
    at = place.w_at + first // KB * streams * stream_stride(KB)
    width = NR << place.bf16
    for start in range(first, end, KB):
        count = min(KB, place.inputs - start)
        for stream in range(streams):
            lines = arena[at : at + count * NR].reshape(count, NR)
            yield slice(start, start + count), slice(stream * width, (stream + 1) * width), lines
            at += stream_stride(count)
