"""The driver of the micro-kernels: some panels of a dense layer over a block of rows."""

from typing import Any

import numba

from numbatch.kernels.activations import Activation, activate
from numbatch.kernels.blocking import rows_in_lanes
from numbatch.kernels.memory import shift
from numbatch.kernels.microkernel import KB, dense_tile, panels_of, stream_count
from numbatch.kernels.narrow import computed_units, narrow_tile
from numbatch.kernels.packing import stream_stride
from numbatch.kernels.target import NR, TARGET

_NV, _LANES = TARGET.nv, TARGET.lanes
# For float32 and for bfloat16: most rows of a tile, and the panels that one takes, by its rows.
_MOST_ROWS = (TARGET.mr, TARGET.bf16_mr)
_MOST_PANELS = tuple(tuple(panels_of(max(1, rows), bf16) for rows in range(TARGET.mr + 1)) for bf16 in (False, True))
_RELU = int(Activation.RELU)

_BLOCK_STRIDE = stream_stride(KB)

_stream_count, _stream_stride = numba.njit(stream_count), numba.njit(stream_stride)
_rows_in_lanes, _computed_units = numba.njit(rows_in_lanes), numba.njit(computed_units)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def dense(
    kernels: Any,
    x: Any,
    x_stride: int,
    rows: int,
    inputs: int,
    w: Any,
    bf16: int,
    bias: Any,
    panels: int,
    units: int,
    first_panel: int,
    end_panel: int,
    z: Any,
    z_stride: int,
    floor: float,
    activation: int,
    alpha: float,
) -> None:
    """Compute activation(x W + b) for `rows` rows and the panels from `first_panel` on of a layer's `panels`.

    The other operands are those of `microkernel`. The rows are split evenly over as few tiles as possible (13 rows are
    7 and 6, not 12 and 1: a tile of few rows computes little for each weight it loads). Block after block of inputs,
    each group of panels meets all tiles before the next: what the tiles share stays in the L1 cache.

    A layer of few units goes another way: `narrow`.
    """
    if panels == 1 and _rows_in_lanes(rows, inputs, units):
        _narrow(kernels, x, x_stride, rows, inputs, w, bias, units, z, z_stride, floor, activation, alpha)
        return
    most_rows = _MOST_ROWS[bf16]
    tiles = (rows + most_rows - 1) // most_rows
    height, taller = rows // tiles, rows % tiles
    most = _MOST_PANELS[bf16][height + (taller > 0)]
    for start in range(0, inputs, KB):
        count = min(KB, inputs - start)
        first, last = start == 0, start + count == inputs
        stride = _stream_stride(count)
        block = shift(w, start // KB * _stream_count(panels, bf16) * _BLOCK_STRIDE)
        panel = first_panel
        while panel < end_panel:
            width = most
            while width > end_panel - panel:
                width //= 2
            row = 0
            for tile in range(tiles):
                tall = height + (tile < taller)
                at = shift(z, row * z_stride + panel * NR)
                dense_tile(
                    kernels,
                    tall,
                    width,
                    bf16,
                    shift(x, row * x_stride + start),
                    x_stride,
                    count,
                    shift(block, (panel >> bf16) * stride),
                    stride,
                    _stream_count(width, bf16) * stride,
                    shift(bias, panel * NR),
                    at,
                    z_stride,
                    first,
                    last,
                    floor,
                )
                if last and activation > _RELU:
                    # The tile is in the L1 cache still.
                    activate(kernels, activation, at, z_stride, at, z_stride, tall, width * _NV, alpha)
                row += tall
            panel += width


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def _narrow(
    kernels: Any,
    x: Any,
    x_stride: int,
    rows: int,
    inputs: int,
    w: Any,
    bias: Any,
    units: int,
    z: Any,
    z_stride: int,
    floor: float,
    activation: int,
    alpha: float,
) -> None:
    """Compute a layer of few units, so many rows at a time as a vector has lanes.

    The last ones overlap those before, if the rows are no multiple: what is computed twice has the same bits.
    """
    computed = _computed_units(units)
    for start in range(0, rows, _LANES):
        row = min(start, rows - _LANES)
        narrow_tile(
            kernels,
            computed,
            shift(x, row * x_stride),
            x_stride,
            inputs,
            w,
            bias,
            shift(z, row * z_stride),
            z_stride,
            floor,
            activation,
            alpha,
        )
