"""One layer, or a few, run by the compiled call itself: no model, no engine."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from numbatch.kernels.activations import Activation, to_bits
from numbatch.kernels.arena import aligned_zeros
from numbatch.kernels.blocking import row_stride
from numbatch.kernels.library import kernel_table
from numbatch.kernels.packing import layout, pack, pack_bias
from numbatch.kernels.program import run_network
from numbatch.kernels.steps import (
    ACTIVATION,
    DENSE,
    INPUT,
    LOG_SOFTMAX,
    OUTPUT,
    SOFTMAX,
    STAGE,
    WORKSPACE,
    Header,
    Step,
    table_of,
)
from numbatch.kernels.team import TEAM_SIZE, THREADS

Float32Array = npt.NDArray[np.float32]

ROW_KINDS = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX}

_GUARD = 64


def bits(array: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """The bits of float32 numbers, so that -0 differs from +0 and NaN equals NaN."""
    return np.ascontiguousarray(array, np.float32).view(np.uint32)


def lone_team() -> npt.NDArray[np.int64]:
    """A team of the caller alone."""
    team = np.zeros(TEAM_SIZE, np.int64)
    team[THREADS] = 1
    return team


def run_dense(
    x: Float32Array,
    kernel: Float32Array,
    bias: Float32Array,
    activation: str = "linear",
    *,
    alpha: float = 0.0,
    block: int = 24,
    staged: bool = True,
    input_in_place: bool = False,
    bf16: bool = False,
) -> Float32Array:
    """activation(x W + b) through the kernels, every place that must not be read or left alone filled with NaN.

    `staged`: x is copied to the workspace, and the output from there; else they are where the caller has them, which
    takes whole panels of units. `input_in_place`: only the output is copied.
    """
    inputs, units = kernel.shape
    place = layout(inputs, units, 0, bf16=bf16)
    arena = aligned_zeros(place.end)
    pack(place, kernel, arena)
    pack_bias(place, bias, arena)
    x_stride, z_stride = row_stride(inputs), row_stride(units)
    kind = ROW_KINDS.get(activation)
    x_at = (WORKSPACE if staged and not input_in_place else INPUT, 0)
    z_at = (WORKSPACE, block * x_stride) if staged else (OUTPUT, 0)
    x_rows = (1, inputs, x_stride if x_at[0] == WORKSPACE else inputs)
    z_rows = (1, units, z_stride)
    dense = Step(DENSE, *x_at, *x_rows, *z_at, *z_rows)._replace(
        activation=Activation[activation.upper()] if kind is None else Activation.LINEAR,
        alpha_bits=to_bits(alpha),
        w_at=place.w_at,
        bias_at=place.bias_at,
        panels=place.panels,
        bf16=int(place.bf16),
    )
    steps = [dense]
    if kind is not None:
        steps.append(Step(kind, *z_at, *z_rows, *z_at, *z_rows))
    if x_at[0] == WORKSPACE:
        steps.insert(0, Step(STAGE, INPUT, 0, *x_rows, *x_at, *x_rows))
    if staged:
        steps[-1] = steps[-1]._replace(wanted_at=0)
    return _run(steps, arena, block * (x_stride + z_stride), x, block, units)


def run_activation(x: Float32Array, activation: str, alpha: float = 0.0) -> Float32Array:
    """An activation of elements or of rows, alone."""
    width, block = x.shape[1], 4
    rows = (1, width, row_stride(width))
    stage = Step(STAGE, INPUT, 0, *rows, WORKSPACE, 0, *rows)
    kind = ROW_KINDS.get(activation, ACTIVATION)
    code = 0 if activation in ROW_KINDS else Activation[activation.upper()]
    step = Step(kind, WORKSPACE, 0, *rows, WORKSPACE, block * rows[2], *rows, wanted_at=0, activation=code)
    steps = [stage, step._replace(alpha_bits=to_bits(alpha))]
    return _run(steps, aligned_zeros(16), 2 * block * rows[2], x, block, width)


def run_small_step(
    kind: int, arrays: Sequence[Any], parameters: Sequence[Any] = (), *, epsilon: float = 0.0
) -> Float32Array:
    """A step that takes rows of some arrays of one shape, and vectors as parameters."""
    rows, width = arrays[0].shape
    block, stride = 4, row_stride(width)
    padded = -(-width // 16) * 16
    arena = aligned_zeros(max(1, len(parameters)) * padded)
    for number, vector in enumerate(parameters):
        arena[number * padded : number * padded + width] = vector
    x = np.concatenate(arrays, axis=1)
    shape = (1, width, stride)
    steps = [
        Step(STAGE, INPUT, number * width, *shape, WORKSPACE, number * block * stride, *shape)
        for number in range(len(arrays))
    ]
    target = len(arrays) * block * stride
    step = Step(kind, WORKSPACE, 0, *shape, WORKSPACE, target, *shape, wanted_at=0, alpha_bits=to_bits(epsilon))
    other = {"other_at": block * stride, "other_stride": stride} if len(arrays) > 1 else {"other_stride": padded}
    steps.append(step._replace(bias_at=padded, **other))
    return _run(steps, arena, (len(arrays) + 1) * block * stride, x, block, width)


def _run(
    steps: list[Step], arena: Float32Array, workspace_size: int, x: Float32Array, block: int, width: int
) -> Float32Array:
    workspace = aligned_zeros(workspace_size + _GUARD)
    workspace[:] = np.nan
    outputs = np.full(x.shape[0] * width + _GUARD, np.float32(-7), np.float32)
    header = Header(
        steps=len(steps),
        block=block,
        kernels=kernel_table().ctypes.data,
        arena=arena.ctypes.data,
        workspace_size=workspace_size,
        weights=1,
        input_elements=x.shape[1],
    )
    data: npt.NDArray[Any] = np.ascontiguousarray(x)
    data.flags.writeable = False
    run_network(table_of(header, steps), workspace, data, x.shape[0], outputs, lone_team())
    assert np.isnan(workspace[-_GUARD:]).all(), "written beyond the workspace"
    assert (outputs[-_GUARD:] == -7).all(), "written beyond the outputs"
    return outputs[:-_GUARD].reshape(x.shape[0], width)
