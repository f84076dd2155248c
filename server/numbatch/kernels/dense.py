"""The driver of the micro-kernels: some panels of a dense layer over a block of rows."""

from typing import Any

import numba

from numbatch.kernels.activations import Activation, activate
from numbatch.kernels.bfloat16 import widen
from numbatch.kernels.blocking import inputs_per_pass
from numbatch.kernels.memory import shift
from numbatch.kernels.microkernel import BF16_ROWS, KB, dense_tile, panels_of
from numbatch.kernels.target import NR, TARGET

_MR, _NV = TARGET.mr, TARGET.nv
_PANELS = (0, *(panels_of(rows, bf16=False) for rows in range(1, TARGET.mr + 1)))
_BF16_PANELS = (0, *(panels_of(rows, bf16=True) for rows in range(1, BF16_ROWS + 1)))
_RELU = int(Activation.RELU)

_inputs_per_pass = numba.njit(inputs_per_pass)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def dense(
    kernels: Any,
    x: Any,
    x_stride: int,
    rows: int,
    inputs: int,
    w: Any,
    panel_stride: int,
    bf16: int,
    bias: Any,
    panels: int,
    z: Any,
    z_stride: int,
    floor: float,
    activation: int,
    alpha: float,
    scratch: Any,
) -> None:
    """Compute activation(x W + b) for `rows` rows and `panels` panels; the operands are those of `microkernel`.

    The rows are split evenly over as few tiles as possible (15 rows are 8 and 7, not 14 and 1: a tile of few rows
    computes little for each weight it loads). Within a pass over some inputs each group of panels meets all tiles
    before the next: what the tiles share stays in the L1 cache. For bfloat16 and several rows, a group's part of a pass
    is widened to float32 first, into `scratch`: once for all tiles.
    """
    tiles = (rows + _MR - 1) // _MR
    height, taller = rows // tiles, rows % tiles
    widened = bf16 and rows > BF16_ROWS
    group = _BF16_PANELS[rows] if bf16 and not widened else _PANELS[height + (taller > 0)]
    step = KB if widened else _inputs_per_pass(rows, inputs)
    for start in range(0, inputs, step):
        count = min(step, inputs - start)
        first, last = start == 0, start + count == inputs
        panel = 0
        while panel < panels:
            width = group
            while width > panels - panel:
                width //= 2
            weights = shift(w, panel * panel_stride + (start * NR >> bf16))
            stride = panel_stride
            if widened:
                widen(kernels, weights, panel_stride, width, count, scratch)
                weights, stride = scratch, (count + 1) * NR
            row = 0
            for tile in range(tiles):
                tall = height + (tile < taller)
                at = shift(z, row * z_stride + panel * NR)
                dense_tile(
                    kernels,
                    tall,
                    width,
                    bf16 and not widened,
                    shift(x, row * x_stride + start),
                    x_stride,
                    count,
                    weights,
                    stride,
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
