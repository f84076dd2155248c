"""What PyTorch computes, to compare with."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from numbatch.convert.converted import Reference
from numbatch.convert.torch.program import Program, Ref
from numbatch.v1.model_pb2 import Model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from numbatch.wire.tensors import Array

# PyTorch's own operators with which a graph computes lengths.
_LENGTHS: Mapping[str, Callable[..., Any]] = {
    "_operator.add": lambda a, b: a + b,
    "_operator.sub": lambda a, b: a - b,
    "_operator.mul": lambda a, b: a * b,
    "_operator.floordiv": lambda a, b: a // b,
}
# Where and how an operator's result lies in memory.
_PLACEMENT = {"device", "layout", "pin_memory", "memory_format"}


def module_reference(call: Callable[[Sequence[torch.Tensor]], Any], program: Program, model: Model) -> Reference:
    """Return what calls a module in memory; `call` is given its inputs in the order of the program's."""
    return _reference(lambda tensors: _flat(call(tensors)), program, model)


def program_reference(program: Program, model: Model, operations: set[str]) -> Reference:
    """Return what runs a program that was read from a file, operator by operator, as far as these are known.

    A program for a fixed number of rows runs on so many at a time.
    """

    def run(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        values: dict[str, Any] = dict(zip(program.inputs, tensors, strict=True))
        values |= {name: _tensor(constant.array) for name, constant in program.constants.items()}
        for node in program.nodes:
            if node.operation.rstrip("_") not in operations or not all(name in values for name in node.taken()):
                continue
            arguments = {
                key: _given(_data_type(each) if key == "dtype" else each, values)
                for key, each in node.arguments.items()
                if key not in _PLACEMENT
            }
            result = _operator(node.target)(arguments)
            several = isinstance(result, list | tuple)
            values |= zip(node.outputs, result if several else [result], strict=False)
        return [values[name] for name in program.outputs]

    rows = program.arrays[program.inputs[0]].shape[0]
    return _reference(_in_parts(run, rows) if isinstance(rows, int) else run, program, model)


def _reference(
    run: Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor]], program: Program, model: Model
) -> Reference:
    infos = [program.arrays[name] for name in program.inputs]

    def reference(arrays: Mapping[str, Array]) -> Mapping[str, Array]:
        tensors = []
        for spec, info in zip(model.inputs, infos, strict=True):
            array = np.array(arrays[spec.name])
            tensor = torch.from_numpy(array.reshape(len(array), *info.shape[1:]))
            tensors.append(tensor.long() if spec.data_type == DATA_TYPE_INT32 else tensor.float())
        with torch.no_grad():
            results = [tensor.detach().float().numpy() for tensor in run(tensors)]
        # An array of one number for each row has an axis for it in the model.
        shaped = [result[:, None] if result.ndim == 1 else result for result in results]
        return dict(zip(model.outputs, shaped, strict=True))

    return reference


def _in_parts(run: Callable[..., list[torch.Tensor]], rows: int) -> Callable[..., list[torch.Tensor]]:
    def run_parts(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        count = len(tensors[0])
        padded = [torch.cat([each, each[-1:].expand(-count % rows, *each.shape[1:])]) for each in tensors]
        parts = [run([each[at : at + rows].clone() for each in padded]) for at in range(0, count, rows)]
        return [torch.cat(outputs)[:count] for outputs in zip(*parts, strict=True)]

    return run_parts


def _operator(target: str) -> Callable[[Mapping[str, Any]], Any]:
    if target in _LENGTHS:
        return lambda arguments: _LENGTHS[target](*arguments.values())
    library, operation, overload = target.split(".")
    operator = getattr(getattr(getattr(torch.ops, library), operation), overload)
    return lambda arguments: operator(**arguments)


def _data_type(name: str | None) -> torch.dtype | None:
    if name is None:
        return None
    return torch.float32 if "float" in name else getattr(torch, name)


def _given(argument: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(argument, Ref):
        return values[argument.name]
    if isinstance(argument, list):
        return [_given(each, values) for each in argument]
    return argument


def _tensor(array: Array) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(array))
    return tensor.float() if tensor.is_floating_point() else tensor


def _flat(result: Any) -> list[torch.Tensor]:
    """Return the tensors in what a module returned, in the order of torch.export."""
    if isinstance(result, torch.Tensor):
        return [result]
    parts = result.values() if isinstance(result, Mapping) else result
    return [tensor for part in parts for tensor in _flat(part)]
