"""The driver of the micro-kernels: a whole dense layer over a block of rows."""

from typing import Any

import numba

from numbatch.kernels.activations import Activation, activate
from numbatch.kernels.blocking import inputs_per_pass
from numbatch.kernels.microkernel import dense_tile
from numbatch.kernels.target import TARGET

_MR, _NR, _NV = TARGET.mr, TARGET.nr, TARGET.nv
_PANELS = (0, *(TARGET.panels(rows) for rows in range(1, TARGET.mr + 1)))
_RELU = int(Activation.RELU)

_inputs_per_pass = numba.njit(inputs_per_pass)


@numba.njit(error_model="numpy")
def dense(
    x: Any,
    x_at: int,
    x_stride: int,
    rows: int,
    inputs: int,
    arena: Any,
    w_at: int,
    panel_stride: int,
    bias_at: int,
    panels: int,
    z: Any,
    z_at: int,
    z_stride: int,
    floor: float,
    activation: int,
    alpha: float,
) -> None:
    """Compute activation(x W + b) for `rows` rows; the operands are those of `microkernel`.

    The rows are split evenly over as few tiles as possible (13 rows are 7 and 6, not 12 and 1: a tile of few rows
    computes little for each weight it loads). Within a pass over some inputs each group of panels meets all tiles
    before the next: what the tiles share stays in the L1 cache.
    """
    tiles = (rows + _MR - 1) // _MR
    group = _PANELS[(rows + tiles - 1) // tiles]
    step = _inputs_per_pass(rows, inputs)
    for start in range(0, inputs, step):
        count = min(step, inputs - start)
        last = start + count == inputs
        panel = 0
        while panel < panels:
            width = group if panels - panel >= group else 1
            for tile in range(tiles):
                row = tile * rows // tiles
                height = (tile + 1) * rows // tiles - row
                at = z_at + row * z_stride + panel * _NR
                dense_tile(
                    height,
                    width,
                    x,
                    x_at + row * x_stride + start,
                    x_stride,
                    count,
                    arena,
                    w_at + panel * panel_stride + start * _NR,
                    panel_stride,
                    bias_at + panel * _NR,
                    z,
                    at,
                    z_stride,
                    start == 0,
                    last,
                    floor,
                )
                if last and activation > _RELU:
                    # The tile is in the L1 cache still.
                    for i in range(height):
                        activate(activation, z, at + i * z_stride, z, at + i * z_stride, width * _NV, alpha)
            panel += width
