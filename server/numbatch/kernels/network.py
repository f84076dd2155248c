"""The interpreter of a network's table: a block of examples through its steps."""

from typing import Any

import numba
import numpy as np

from numbatch.kernels.activations import FLOORS, Activation
from numbatch.kernels.dense import dense
from numbatch.kernels.memory import copy, float_of_bits, floats_at, shift, table_at
from numbatch.kernels.microkernel import stream_count
from numbatch.kernels.small_steps import small_step
from numbatch.kernels.steps import (
    DENSE,
    EITHER,
    HEADER_SIZE,
    INPUT,
    NOT_WANTED,
    OUTPUT,
    STAGE,
    STEP_SIZE,
    Header,
    Step,
)
from numbatch.kernels.target import NR

_stream_count = numba.njit(stream_count)
_RELU = int(Activation.RELU)
_FLOOR_RELU = np.float32(FLOORS[Activation.RELU])
_FLOOR_NONE = np.float32(FLOORS[Activation.LINEAR])


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def header_of(program: Any) -> Header:
    """Return the header of a table."""
    return Header(program[0], program[1], program[2], program[3], program[4], program[5], program[6])


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def step_of(program: Any, number: int) -> Step:
    """Return a step of a table."""
    p = shift(program, HEADER_SIZE + number * STEP_SIZE)
    return Step(
        p[0],
        p[1],
        p[2],
        p[3],
        p[4],
        p[5],
        p[6],
        p[7],
        p[8],
        p[9],
        p[10],
        p[11],
        p[12],
        p[13],
        p[14],
        p[15],
        p[16],
        p[17],
        p[18],
        p[19],
        p[20],
        p[21],
        p[22],
    )


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def run_step(
    header: Header,
    step: Step,
    workspace: Any,
    x: Any,
    rows: int,
    start: int,
    count: int,
    outputs: Any,
    share: int,
    shares: int,
) -> None:
    """Compute one step for `count` examples of the batch's `rows`, from `start` on.

    Of a dense layer the share `share` of `shares` is computed, some of its panels; of other steps the share 0 is all.
    """
    kernels, arena = table_at(header.kernels), floats_at(header.arena)
    lines = count * step.source_rows
    source_stride = step.source_stride
    if step.source_in == INPUT:
        source = shift(x, start * header.input_elements + step.source_at)
    elif step.source_in == EITHER and (lines == 1 or step.kind == STAGE):
        source = shift(x, start * header.input_elements)
    elif step.source_in == OUTPUT:
        source = shift(outputs, step.source_at * rows + start * step.source_rows * step.source_width)
        source_stride = step.source_width
    else:
        source = shift(workspace, step.source_at)
    if step.target_in == OUTPUT:
        target = shift(outputs, step.target_at * rows + start * step.target_rows * step.target_width)
        target_stride = step.target_width
    else:
        target = shift(workspace, step.target_at)
        target_stride = step.target_stride
    # The streams of weights are split: as bfloat16, two panels each.
    streams = _stream_count(step.panels, step.bf16)
    first_panel = share * streams // shares << step.bf16
    end_panel = min(step.panels, (share + 1) * streams // shares << step.bf16)
    if step.kind == DENSE:
        dense(
            kernels,
            source,
            source_stride,
            lines,
            step.source_width,
            shift(arena, step.w_at),
            step.bf16,
            shift(arena, step.bias_at),
            step.panels,
            step.target_width,
            first_panel,
            end_panel,
            target,
            target_stride,
            _FLOOR_RELU if step.activation == _RELU else _FLOOR_NONE,
            step.activation,
            float_of_bits(step.alpha_bits),
        )
    elif step.kind != STAGE or step.source_in == INPUT or lines > 1:
        other = shift(workspace, step.other_at)
        small_step(
            header,
            step,
            kernels,
            arena,
            source,
            source_stride,
            other,
            target,
            target_stride,
            count,
        )
    if step.wanted_at != NOT_WANTED:
        width = step.target_width
        column, end = 0, width
        if step.kind == DENSE:  # another share's columns may not be there yet
            column, end = first_panel * NR, min(width, end_panel * NR)
        at = shift(outputs, step.wanted_at * rows + start * step.target_rows * width)
        for line in range(count * step.target_rows):
            copy(shift(at, line * width + column), shift(target, line * target_stride + column), end - column)
