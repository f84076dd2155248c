"""The interpreter of a network's table: a block of examples through its steps."""

from typing import Any

import numba
import numpy as np

from numbatch.kernels.activations import FLOORS, Activation, activate
from numbatch.kernels.dense import dense
from numbatch.kernels.memory import copy, float_of_bits, floats_at, shift, table_at
from numbatch.kernels.microkernel import stream_count
from numbatch.kernels.softmax import softmax_row
from numbatch.kernels.steps import (
    ACTIVATION,
    DENSE,
    EITHER,
    HEADER_SIZE,
    INPUT,
    LOG_SOFTMAX,
    NOT_WANTED,
    OUTPUT,
    RESHAPE,
    SOFTMAX,
    STAGE,
    STEP_SIZE,
    Header,
    Step,
)
from numbatch.kernels.target import NR, TARGET

_LANES = TARGET.lanes
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
    kernels = table_at(header.kernels)
    lines = count * step.source_rows
    if step.source_in == INPUT or (step.source_in == EITHER and lines == 1):
        source = shift(x, start * header.input_elements)
        source_stride = step.source_width
    elif step.source_in == OUTPUT:
        source = shift(outputs, step.source_at * rows + start * step.source_rows * step.source_width)
        source_stride = step.source_width
    else:
        source = shift(workspace, step.source_at)
        source_stride = step.source_stride
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
        arena = floats_at(header.arena)
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
    elif step.kind == ACTIVATION:
        vectors = (step.source_width + _LANES - 1) // _LANES
        alpha = float_of_bits(step.alpha_bits)
        activate(kernels, step.activation, source, source_stride, target, target_stride, lines, vectors, alpha)
    elif step.kind == SOFTMAX or step.kind == LOG_SOFTMAX:
        for line in range(lines):
            from_, to = shift(source, line * source_stride), shift(target, line * target_stride)
            softmax_row(kernels, step.kind == LOG_SOFTMAX, from_, to, step.source_width)
    elif step.kind == STAGE:
        if step.source_in == INPUT or lines > 1:
            _copy_lines(target, target_stride, shift(x, start * header.input_elements), lines, step.source_width)
    elif step.kind == RESHAPE:
        _reshape(source, source_stride, lines, step.source_width, target, target_stride, step.target_width)
    if step.wanted_at != NOT_WANTED:
        width = step.target_width
        column, end = 0, width
        if step.kind == DENSE:  # another share's columns may not be there yet
            column, end = first_panel * NR, min(width, end_panel * NR)
        at = shift(outputs, step.wanted_at * rows + start * step.target_rows * width)
        for line in range(count * step.target_rows):
            copy(shift(at, line * width + column), shift(target, line * target_stride + column), end - column)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def _copy_lines(target: Any, target_stride: int, source: Any, lines: int, width: int) -> None:
    """Copy lines that follow each other to where they have a good distance and alignment."""
    for line in range(lines):
        copy(shift(target, line * target_stride), shift(source, line * width), width)


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def _reshape(
    source: Any, source_stride: int, lines: int, width: int, target: Any, target_stride: int, target_width: int
) -> None:
    """Copy lines of one width to lines of another, in row-major order."""
    row, column = 0, 0
    for line in range(lines):
        done = 0
        while done < width:
            length = min(width - done, target_width - column)
            copy(shift(target, row * target_stride + column), shift(source, line * source_stride + done), length)
            done += length
            column += length
            if column == target_width:
                row, column = row + 1, 0
