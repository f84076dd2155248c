"""One layer, or a few, run by the compiled call itself: no model, no engine."""

from typing import Any

import numpy as np
import numpy.typing as npt

from numbatch.kernels.activations import Activation, to_bits
from numbatch.kernels.blocking import row_stride
from numbatch.kernels.packing import aligned_zeros, layout, pack
from numbatch.kernels.program import (
    ACTIVATION,
    DENSE,
    LOG_SOFTMAX,
    NOT_WANTED,
    RESHAPE,
    SOFTMAX,
    Step,
    run_network,
)

Float32Array = npt.NDArray[np.float32]

ROW_KINDS = {"softmax": SOFTMAX, "log_softmax": LOG_SOFTMAX}

_GUARD = 64


def bits(array: npt.ArrayLike) -> npt.NDArray[np.uint32]:
    """The bits of float32 numbers, so that -0 differs from +0 and NaN equals NaN."""
    return np.ascontiguousarray(array, np.float32).view(np.uint32)


def run_dense(
    x: Float32Array,
    kernel: Float32Array,
    bias: Float32Array,
    activation: str = "linear",
    *,
    alpha: float = 0.0,
    block: int = 24,
) -> Float32Array:
    """activation(x W + b) through the kernels, every place that must not be read or left alone filled with NaN."""
    inputs, units = kernel.shape
    place = layout(inputs, units, 0)
    arena = aligned_zeros(place.end)
    pack(place, kernel, bias, arena)
    x_stride, z_stride = row_stride(inputs), row_stride(units)
    z_at = block * x_stride
    source = Step(RESHAPE, 0, 1, inputs, x_stride, 0, 1, inputs, x_stride)
    kind = ROW_KINDS.get(activation)
    code = Activation[activation.upper()] if kind is None else Activation.LINEAR
    weights = (place.w_at, place.panel_stride, place.bias_at, place.panels)
    steps = [
        source,
        Step(DENSE, 0, 1, inputs, x_stride, z_at, 1, units, z_stride, code, *weights, alpha_bits=to_bits(alpha)),
    ]
    if kind is not None:
        steps.append(Step(kind, z_at, 1, units, z_stride, z_at, 1, units, z_stride))
    return _run(steps, arena, block * (x_stride + z_stride), x, block, units)


def run_activation(x: Float32Array, activation: str, alpha: float = 0.0) -> Float32Array:
    """An activation of elements or of rows, alone."""
    width, block = x.shape[1], 4
    stride = row_stride(width)
    source = Step(RESHAPE, 0, 1, width, stride, 0, 1, width, stride)
    kind = ROW_KINDS.get(activation, ACTIVATION)
    code = 0 if activation in ROW_KINDS else Activation[activation.upper()]
    step = Step(kind, 0, 1, width, stride, block * stride, 1, width, stride, code, alpha_bits=to_bits(alpha))
    return _run([source, step], aligned_zeros(16), 2 * block * stride, x, block, width)


def _run(
    steps: list[Step], arena: Float32Array, workspace_size: int, x: Float32Array, block: int, width: int
) -> Float32Array:
    workspace = aligned_zeros(workspace_size + _GUARD)
    workspace[:] = np.nan
    outputs = np.full(x.shape[0] * width + _GUARD, np.float32(-7), np.float32)
    wanted = np.full(len(steps), NOT_WANTED, np.int64)
    wanted[-1] = 0
    data: npt.NDArray[Any] = np.ascontiguousarray(x).reshape(-1).view(np.uint8)
    data.flags.writeable = False
    run_network(np.array(steps, np.int64), arena, workspace, data, x.shape[0], block, wanted, outputs)
    assert np.isnan(workspace[-_GUARD:]).all(), "written beyond the workspace"
    assert (outputs[-_GUARD:] == -7).all(), "written beyond the outputs"
    return outputs[:-_GUARD].reshape(x.shape[0], width)
