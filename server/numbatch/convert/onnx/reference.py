"""An ONNX model run by ONNX Runtime where it is installed, or else by ONNX' own evaluator: what to compare with."""

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper

from numbatch.convert.converted import Reference
from numbatch.wire.layers import Shape
from numbatch.wire.tensors import Array

Run = Callable[[Sequence[str], Mapping[str, Array]], Any]


class End(NamedTuple):
    """An input or an output: its name in the ONNX graph, its name in the model, and the shape of one example there."""

    tensor: str
    name: str
    shape: Shape


def reference_of(
    model: onnx.ModelProto, inputs: Sequence[End], outputs: Sequence[End], batch: int | None = None
) -> Reference:
    """Return a function that runs an ONNX model, and is ready at its first call.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.
    inputs, outputs : sequence of End
        Which of its inputs and outputs are those of the converted model.
    batch : int, optional
        The number of examples, where the graph fixes it: others are run in so many at a time.
    """
    constants = {each.name for each in model.graph.initializer}
    tensors = {each.name: each.type.tensor_type for each in model.graph.input if each.name not in constants}
    taken = {end.tensor: end.name for end in inputs}
    runs: list[Run] = []

    def reference(arrays: Mapping[str, Array]) -> dict[str, Array]:
        runs.append(runs.pop() if runs else _runner(model))
        rows = len(next(iter(arrays.values())))
        given = {
            tensor: np.asarray(arrays[taken[tensor]], _dtype(kind)) if tensor in taken else _zeros(kind, rows)
            for tensor, kind in tensors.items()
        }
        step = batch or rows
        blocks = [
            runs[0]([end.tensor for end in outputs], {name: _block(array, i, step) for name, array in given.items()})
            for i in range(0, rows, step)
        ]
        return {
            end.name: np.concatenate([block[i] for block in blocks])[:rows].reshape(rows, *end.shape)
            for i, end in enumerate(outputs)
        }

    return reference


def _runner(model: onnx.ModelProto) -> Run:
    if importlib.util.find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(model)
        return lambda names, arrays: evaluator.run(list(names), dict(arrays))
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda names, arrays: session.run(list(names), dict(arrays))


def _dtype(kind: onnx.TypeProto.Tensor) -> npt.DTypeLike:
    return helper.tensor_dtype_to_np_dtype(kind.elem_type)


def _zeros(kind: onnx.TypeProto.Tensor, rows: int) -> Array:
    """Return something for an input that no output depends on."""
    return np.zeros((rows, *(axis.dim_value or 1 for axis in kind.shape.dim[1:])), _dtype(kind))


def _block(array: Array, start: int, step: int) -> Array:
    """Return rows of an array, the last of them as often as it takes to make a whole block."""
    rows = array[start : start + step]
    return np.concatenate([rows, np.repeat(rows[-1:], step - len(rows), axis=0)])
