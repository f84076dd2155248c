"""The table that a compiled network is: a header, then one row of integers for each step.

It is data, not code: a new model compiles nothing.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

DENSE, ACTIVATION, SOFTMAX, LOG_SOFTMAX, RESHAPE, STAGE = range(6)
AFFINE, ADD, MULTIPLY, LAYER_NORM, PLACE, LOOK_UP, TAKE = range(6, 13)

# Where an array lies. EITHER: in the workspace, where STAGE has copied it, or, a single row, where the caller has it.
WORKSPACE, INPUT, OUTPUT, EITHER = range(4)

NOT_WANTED = -1


class Header(NamedTuple):
    """What the steps have in common.

    Attributes
    ----------
    steps : int
        How many there are.
    block : int
        Most examples that go through the network at a time.
    kernels : int
        The address of the table of kernels (library.py).
    arena : int
        The address of the packed weights.
    workspace_size : int
        The elements of the workspace that one thread needs, a multiple of 16.
    weights : int
        The multiply-adds of one example.
    input_elements : int
        The elements of one example of all inputs together.
    """

    steps: int
    block: int
    kernels: int
    arena: int
    workspace_size: int
    weights: int
    input_elements: int


class Step(NamedTuple):
    """One layer, or part of one. Strides are in elements.

    Attributes
    ----------
    kind : int
        What it does; beside those whose names say it: STAGE, the copy of a block of an input to the workspace; PLACE,
        the copy of rows into some columns of others; TAKE, the copy of some of their columns.
    source_in, source_at, source_rows, source_width, source_stride : int
        What it takes: in which memory, where in it, the rows of an example, the elements of a row, the distance of
        rows. In the caller's array of inputs, `source_at` is where the input begins in an example's elements.
    target_in, target_at, target_rows, target_width, target_stride : int
        The output, the same; except for DENSE, RESHAPE, PLACE and LOOK_UP it may be what it takes. In the caller's
        array of outputs, `target_at` is where the layer's output begins, for each example of the batch, and rows follow
        each other.
    wanted_at : int
        Where a copy of the output goes in the caller's array, for each example of the batch, or NOT_WANTED.
    activation, alpha_bits : int
        An `Activation` and the float32 bits of its parameter, for DENSE and ACTIVATION; those of epsilon for
        LAYER_NORM.
    w_at, bias_at, panels, bf16 : int
        The weights, as in `packing.PackedDense`, for DENSE. `w_at` is also the place of a LOOK_UP's table, of an
        AFFINE's means, factors and offsets, and of a LAYER_NORM's scales, with its offsets at `bias_at`.
    other_at, other_stride : int
        The second thing that it takes, in the workspace, for ADD and MULTIPLY. `other_stride` is also the distance of
        an AFFINE's vectors.
    column : int
        Where in a row of the output PLACE puts what it takes; where in a row of what it takes TAKE begins.
    pooling, padding : int
        Of LOOK_UP: as in `lookup`.
    """

    kind: int
    source_in: int
    source_at: int
    source_rows: int
    source_width: int
    source_stride: int
    target_in: int
    target_at: int
    target_rows: int
    target_width: int
    target_stride: int
    wanted_at: int = NOT_WANTED
    activation: int = 0
    alpha_bits: int = 0
    w_at: int = 0
    bias_at: int = 0
    panels: int = 0
    bf16: int = 0
    other_at: int = 0
    other_stride: int = 0
    column: int = 0
    pooling: int = 0
    padding: int = 0


HEADER_SIZE = 16
STEP_SIZE = len(Step._fields)


def table_of(header: Header, steps: Sequence[Step]) -> npt.NDArray[np.int64]:
    """Return the table that `program.run_network` takes."""
    table = np.zeros(HEADER_SIZE + len(steps) * STEP_SIZE, np.int64)
    table[: len(header)] = header
    table[HEADER_SIZE:] = np.array(steps, np.int64).reshape(-1)
    return table
