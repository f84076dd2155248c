"""The one compiled call that takes a batch through a whole network.

A network is a table of steps (`Step`), one row of integers each, that read from and write to places in a workspace. The
interpreter below walks the table for one block of rows after the other, so that a block's activations stay in cache
from the first layer to the last and the workspace is small whatever the batch. A step's output can be copied out as it
is made.

An example may have several rows: a step works on its last axis, and on all rows that the axes before make.
"""

from typing import Any, NamedTuple

import numba
import numpy as np
from numba.core import types

from numbatch.kernels.activations import FLOORS, Activation, activate, from_bits
from numbatch.kernels.cache import compiled_once
from numbatch.kernels.dense import dense
from numbatch.kernels.memory import copy_bytes, set_float_environment
from numbatch.kernels.softmax import log_softmax_row, softmax_row
from numbatch.kernels.target import TARGET

DENSE, ACTIVATION, SOFTMAX, RESHAPE, LOG_SOFTMAX = range(5)


class Step(NamedTuple):
    """One layer, or part of one. Places and strides are in elements of the workspace or the arena.

    Attributes
    ----------
    kind : int
        DENSE, ACTIVATION, SOFTMAX, RESHAPE or LOG_SOFTMAX.
    source_at, source_rows, source_width, source_stride : int
        The input: its place, the rows of an example, the elements of a row, the distance of rows.
    target_at, target_rows, target_width, target_stride : int
        The output. For ACTIVATION, SOFTMAX and LOG_SOFTMAX it may be the input itself.
    activation : int
        An `Activation`, for DENSE and ACTIVATION.
    w_at, panel_stride, bias_at, panels : int
        The weights, as in `packing.PackedDense`, for DENSE.
    alpha_bits : int
        The bits of the activation's alpha, a float32.
    """

    kind: int
    source_at: int
    source_rows: int
    source_width: int
    source_stride: int
    target_at: int
    target_rows: int
    target_width: int
    target_stride: int
    activation: int = 0
    w_at: int = 0
    panel_stride: int = 0
    bias_at: int = 0
    panels: int = 0
    alpha_bits: int = 0


_FIELDS = len(Step._fields)
_LANES = TARGET.lanes
_RELU = int(Activation.RELU)
_FLOOR_RELU = np.float32(FLOORS[Activation.RELU])
_FLOOR_NONE = np.float32(FLOORS[Activation.LINEAR])

# Round to nearest, denormals kept, no traps: what the contract asks for. A library compiled for "fast math" may have
# changed it for the calling thread.
_MXCSR_DEFAULT = np.uint32(0x1F80)

NOT_WANTED = -1

_SIGNATURE = types.void(
    types.Array(types.int64, 2, "C"),
    types.Array(types.float32, 1, "C"),
    types.Array(types.float32, 1, "C"),
    types.Array(types.uint8, 1, "C", readonly=True),
    types.int64,
    types.int64,
    types.Array(types.int64, 1, "C"),
    types.Array(types.float32, 1, "C"),
)


def run(steps: Any, arena: Any, workspace: Any, x: Any, rows: int, block: int, wanted: Any, outputs: Any) -> None:
    """Take a batch through a network.

    Parameters
    ----------
    steps : ndarray of int64, shape (number of steps + 1, fields of Step)
        The first row is the input: a RESHAPE whose target is where it goes.
    arena : ndarray of float32
        The packed weights of all layers.
    workspace : ndarray of float32
        Scratch memory for one block of examples; no other call may use it at the same time.
    x : ndarray of uint8, read-only
        The input's bytes, row-major float32; any alignment.
    rows : int
        The examples of the batch.
    block : int
        The examples that go through the network at a time.
    wanted : ndarray of int64, shape (number of steps + 1,)
        Where in `outputs` each step's output is to go, as a row-major array of all examples, or NOT_WANTED.
    outputs : ndarray of float32
        What was wanted.
    """
    environment = set_float_environment(_MXCSR_DEFAULT)
    for start in range(0, rows, block):
        count = min(block, rows - start)
        for number in range(len(steps)):
            step = _step(steps[number])
            if number == 0:
                _stage(step, x, start, count, workspace)
            elif step.kind == DENSE:
                floor = _FLOOR_RELU if step.activation == _RELU else _FLOOR_NONE
                dense(
                    workspace,
                    step.source_at,
                    step.source_stride,
                    count * step.source_rows,
                    step.source_width,
                    arena,
                    step.w_at,
                    step.panel_stride,
                    step.bias_at,
                    step.panels,
                    workspace,
                    step.target_at,
                    step.target_stride,
                    floor,
                    step.activation,
                    from_bits(step.alpha_bits),
                )
            elif step.kind == ACTIVATION:
                vectors = (step.source_width + _LANES - 1) // _LANES
                for row in range(count * step.source_rows):
                    source, target = (
                        step.source_at + row * step.source_stride,
                        step.target_at + row * step.target_stride,
                    )
                    activate(step.activation, workspace, source, workspace, target, vectors, from_bits(step.alpha_bits))
            elif step.kind == SOFTMAX:
                for row in range(count * step.source_rows):
                    source, target = (
                        step.source_at + row * step.source_stride,
                        step.target_at + row * step.target_stride,
                    )
                    softmax_row(workspace, source, workspace, target, step.source_width)
            elif step.kind == LOG_SOFTMAX:
                for row in range(count * step.source_rows):
                    source, target = (
                        step.source_at + row * step.source_stride,
                        step.target_at + row * step.target_stride,
                    )
                    log_softmax_row(workspace, source, workspace, target, step.source_width)
            elif step.kind == RESHAPE:
                _reshape(step, count, workspace)
            if wanted[number] != NOT_WANTED:
                _copy_out(step, wanted[number], start, count, workspace, outputs)
    set_float_environment(environment)


@numba.njit(error_model="numpy", inline="always")
def _step(fields: Any) -> Step:
    return Step(
        fields[0],
        fields[1],
        fields[2],
        fields[3],
        fields[4],
        fields[5],
        fields[6],
        fields[7],
        fields[8],
        fields[9],
        fields[10],
        fields[11],
        fields[12],
        fields[13],
        fields[14],
    )


@numba.njit(error_model="numpy")
def _stage(step: Step, x: Any, start: int, count: int, workspace: Any) -> None:
    """Copy a block of the input to the workspace, where its rows have a good distance and alignment."""
    width = 4 * step.target_width
    for row in range(count * step.target_rows):
        target = step.target_at + row * step.target_stride
        copy_bytes(workspace, 4 * target, x, (start * step.target_rows + row) * width, width)


@numba.njit(error_model="numpy")
def _copy_out(step: Step, at: int, start: int, count: int, workspace: Any, outputs: Any) -> None:
    """Copy a block of a step's output to the caller's array."""
    width = 4 * step.target_width
    for row in range(count * step.target_rows):
        source = step.target_at + row * step.target_stride
        copy_bytes(outputs, 4 * at + (start * step.target_rows + row) * width, workspace, 4 * source, width)


@numba.njit(error_model="numpy")
def _reshape(step: Step, count: int, workspace: Any) -> None:
    """Copy rows of one width to rows of another, in row-major order."""
    row, column = 0, 0
    for source_row in range(count * step.source_rows):
        source = step.source_at + source_row * step.source_stride
        left = step.source_width
        while left > 0:
            length = min(left, step.target_width - column)
            target = step.target_at + row * step.target_stride + column
            copy_bytes(workspace, 4 * target, workspace, 4 * (source + step.source_width - left), 4 * length)
            left -= length
            column += length
            if column == step.target_width:
                row, column = row + 1, 0


run_network = compiled_once(run, _SIGNATURE)
