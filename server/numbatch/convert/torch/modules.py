"""Modules in memory: a copy in evaluation mode and float32, an example for it, and what it becomes."""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram

from numbatch.convert.converted import Converted
from numbatch.convert.torch.exported import read_exported, trace
from numbatch.convert.torch.operators import KNOWN
from numbatch.convert.torch.program import Program
from numbatch.convert.torch.reference import module_reference, program_reference
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

ProgramConverter = Callable[[Program, str], tuple[Model, tuple[str, ...]]]

# torch.export takes the lengths 0 and 1 for fixed ones.
_ROWS = 2


def convert_in_memory(source: Any, example: Any, name: str, convert: ProgramConverter) -> Converted | None:
    """Convert a module or an exported program, or return None if it is neither."""
    if isinstance(source, ExportedProgram):
        program = read_exported(source)
        model, more = convert(program, name or "exported")
        return Converted(model, program_reference(program, model, KNOWN), more)
    if not isinstance(source, nn.Module):
        return None
    original, notes = _for_inference(source)
    args, kwargs, derived = _example(original, example)
    program = read_exported(trace(original, args, kwargs))
    model, more = convert(program, name or type(source).__name__)

    def call(tensors: Any) -> Any:
        return original(*tensors[: len(args)], **dict(zip(kwargs, tensors[len(args) :], strict=True)))

    return Converted(model, module_reference(call, program, model), (*notes, *derived, *more))


def loaded(module: Any, arrays: Mapping[str, Array]) -> nn.Module:
    """Return a copy of a module with other weights.

    Raises
    ------
    InvalidModelError
        WEIGHTS_MISMATCH, if they are not those that it has.
    """
    if not isinstance(module, nn.Module):
        expected = "a torch.nn.Module, a Model, or a .txtpb file"
        raise error(Reason.INVALID_FIELD, field="architecture", got=type(module).__qualname__, expected=expected)
    filled: nn.Module = copy.deepcopy(module)
    try:
        filled.load_state_dict({name: torch.from_numpy(np.array(array)) for name, array in arrays.items()})
    except RuntimeError as mismatch:
        problem = " ".join(str(mismatch).split())
        raise error(Reason.WEIGHTS_MISMATCH, problem, field="architecture") from mismatch
    return filled


def _for_inference(source: nn.Module) -> tuple[nn.Module, list[str]]:
    notes = []
    if any(module.training for module in source.modules()):
        notes.append("The module was in training mode; it was converted as in evaluation mode.")
    others = sorted({str(each.dtype) for each in source.parameters() if each.dtype != torch.float32})
    if others:
        notes.append(f"Weights of {', '.join(others)} were rounded to float32, in which everything is computed.")
    try:
        return copy.deepcopy(source).eval().cpu().float(), notes
    except (RuntimeError, TypeError) as uncopyable:
        hint = "give what torch.export.export makes of it in evaluation mode"
        raise error(
            Reason.FEATURE_UNSUPPORTED, f"it cannot be copied: {uncopyable}", field="source", hint=hint
        ) from None


def _example(module: nn.Module, example: Any) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor], list[str]]:
    """Return positional and named arguments for a module, and a note if they are made up."""
    if isinstance(example, Mapping):
        return (), {name: _tensor(name, each) for name, each in example.items()}, []
    if isinstance(example, tuple):
        return tuple(_tensor(f"example[{i}]", each) for i, each in enumerate(example)), {}, []
    if example is not None:
        return (_tensor("example", example),), {}, []
    path, features = _first_features(module)
    note = f"Its input is taken to have {features} features, as {path} has; give example= if it has more axes."
    return (torch.zeros(_ROWS, features),), {}, [note]


def _first_features(module: nn.Module) -> tuple[str, int]:
    parameters = [
        each
        for each in inspect.signature(module.forward).parameters.values()
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]
    for path, layer in module.named_modules():
        if len(parameters) != 1 or (list(layer.children()) and not list(layer.parameters(recurse=False))):
            continue
        if isinstance(layer, nn.Linear):
            return path or "the module", layer.in_features
        if isinstance(layer, nn.BatchNorm1d):
            return path, layer.num_features
        if isinstance(layer, nn.LayerNorm) and len(layer.normalized_shape) == 1:
            return path, layer.normalized_shape[0]
        if list(layer.parameters(recurse=False)):
            break
    raise _example_needed(module)


def _tensor(field: str, each: Any) -> torch.Tensor:
    tensor = each.detach().cpu() if isinstance(each, torch.Tensor) else torch.as_tensor(np.asarray(each))
    if not tensor.ndim or not len(tensor):
        raise error(Reason.INVALID_FIELD, field=field, got=f"{list(tensor.shape)}", expected="one row or more")
    tensor = tensor.float() if tensor.is_floating_point() else tensor
    return torch.cat([tensor[:1]] * _ROWS)


def _example_needed(module: nn.Module) -> NumbatchError:
    return error(
        Reason.INVALID_FIELD,
        f"what {type(module).__name__} takes cannot be told from its layers",
        field="example",
        got="none",
        expected="a tensor, or a tuple or dict of them, with the batch as first axis",
        hint="for example example=torch.zeros(1, 10), or example=(torch.zeros(1, 10), torch.zeros(1, 3, dtype=int))",
    )
