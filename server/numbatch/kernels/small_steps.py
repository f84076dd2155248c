"""The steps beside dense layers: each takes rows once, and needs no sharing and no blocking."""

from typing import Any

import numba

from numbatch.kernels.activations import activate
from numbatch.kernels.elementwise import elementwise
from numbatch.kernels.layer_norm import layer_norm_row
from numbatch.kernels.lookup import APART, MEAN, look_up, look_up_pooled
from numbatch.kernels.memory import copy, float_of_bits, shift
from numbatch.kernels.softmax import softmax_row
from numbatch.kernels.steps import (
    ACTIVATION,
    ADD,
    AFFINE,
    LAYER_NORM,
    LOG_SOFTMAX,
    LOOK_UP,
    MULTIPLY,
    PLACE,
    RESHAPE,
    SOFTMAX,
    STAGE,
    TAKE,
    Header,
    Step,
)
from numbatch.kernels.target import TARGET

_LANES = TARGET.lanes


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def small_step(
    header: Header,
    step: Step,
    kernels: Any,
    arena: Any,
    source: Any,
    source_stride: int,
    other: Any,
    target: Any,
    target_stride: int,
    count: int,
) -> None:
    """Compute a step for `count` examples, whose operands begin at these places."""
    lines, width, distance = count * step.source_rows, step.source_width, step.other_stride
    vectors = (width + _LANES - 1) // _LANES
    if step.kind == ACTIVATION:
        alpha = float_of_bits(step.alpha_bits)
        activate(kernels, step.activation, source, source_stride, target, target_stride, lines, vectors, alpha)
    elif step.kind == AFFINE or step.kind == ADD or step.kind == MULTIPLY:
        if step.kind == AFFINE:
            other = shift(arena, step.w_at)
        operation = step.kind - AFFINE  # in the order of elementwise.py
        elementwise(kernels, operation, source, source_stride, other, distance, target, target_stride, lines, vectors)
    elif step.kind == SOFTMAX or step.kind == LOG_SOFTMAX:
        for line in range(lines):
            from_, to = shift(source, line * source_stride), shift(target, line * target_stride)
            softmax_row(kernels, step.kind == LOG_SOFTMAX, from_, to, width)
    elif step.kind == LAYER_NORM:
        scales, offsets, epsilon = shift(arena, step.w_at), shift(arena, step.bias_at), float_of_bits(step.alpha_bits)
        for line in range(lines):
            from_, to = shift(source, line * source_stride), shift(target, line * target_stride)
            layer_norm_row(kernels, from_, to, scales, offsets, width, epsilon)
    elif step.kind == STAGE:
        for example in range(count):
            at = shift(source, example * header.input_elements)
            for row in range(step.source_rows):
                to = shift(target, (example * step.source_rows + row) * target_stride)
                copy(to, shift(at, row * width), width)
    elif step.kind == RESHAPE:
        _reshape(source, source_stride, lines, width, target, target_stride, step.target_width)
    elif step.kind == PLACE:
        for line in range(lines):
            copy(shift(target, line * target_stride + step.column), shift(source, line * source_stride), width)
    elif step.kind == TAKE:
        for line in range(lines):
            at = shift(source, line * source_stride + step.column)
            copy(shift(target, line * target_stride), at, step.target_width)
    elif step.kind == LOOK_UP:
        _look_up(header, step, shift(arena, step.w_at), source, target, target_stride, count)


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


@numba.njit(error_model="numpy", no_cpython_wrapper=True)
def _look_up(header: Header, step: Step, table: Any, source: Any, target: Any, target_stride: int, count: int) -> None:
    """Look up the numbers of some examples, which lie where the caller has them."""
    units, numbers, rows = step.target_width, step.source_width, step.source_rows
    for example in range(count):
        for row in range(rows):
            ids = shift(source, example * header.input_elements + row * step.source_stride)
            if step.pooling == APART:
                to = shift(target, (example * rows + row) * numbers * target_stride)
                look_up(table, units, ids, numbers, to, target_stride)
            else:
                to = shift(target, (example * rows + row) * target_stride)
                look_up_pooled(table, units, ids, numbers, to, step.pooling == MEAN, step.padding)
