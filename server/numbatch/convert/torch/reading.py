"""`from_torch`: what kind of source it is, and who reads it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numbatch.convert.converted import Converted
from numbatch.convert.torch.archive import MALFORMED, not_as_written, read_archive
from numbatch.convert.torch.conversion import Conversion
from numbatch.convert.torch.description import filled, read_description
from numbatch.convert.torch.operators import CONVERTERS, KNOWN
from numbatch.convert.torch.program import Program
from numbatch.convert.torch.state_dict import as_arrays, listing, read_state_dict
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

_FILES = (".pt2", ".safetensors", ".pt", ".pth")


def from_torch(source: Any, *, example: Any = None, name: str = "", architecture: Any = None) -> Converted:
    """Convert a network of PyTorch.

    A layer has the name of the module that it is the result of, "encoder.0"; what forward computes between modules has
    the name of the module around it and of the operation, "encoder.add". Modules in training mode are converted as in
    evaluation mode; the module itself is not changed. Weights of other widths are rounded to float32.

    Parameters
    ----------
    source : torch.nn.Module, torch.export.ExportedProgram, mapping or path
        A module, which torch.export must be able to trace; what torch.export returned, or its file (.pt2), made with a
        dynamic batch axis if possible; or a state dict, or its file (.safetensors, .pt, .pth), which needs an
        `architecture`. Files of .safetensors and .pt2 are read without PyTorch. Nothing is unpickled but .pt and .pth,
        with weights_only=True; torch.export.load, which unpickles, is not used.
    example : tensor or array_like, tuple or mapping of them, optional
        What the module is called with, the batch as first axis: one argument, several, or by name. Only shapes and
        types matter. Default: rows of as many features as the module's first layer takes, if that is a Linear,
        BatchNorm1d or LayerNorm, and forward takes one argument.
    name : str
        The model's name. Default: the module's class, or the file's name.
    architecture : torch.nn.Module, Model or path, optional
        For a state dict: a module that it is loaded into (a copy of it), or a description of the network as a Model
        message without weights, in memory or in a .txtpb file, whose layers are named like the prefixes of the state
        dict's names: a dense layer "fc1" takes fc1.weight and fc1.bias. A description needs no PyTorch.

    Returns
    -------
    Converted
        Its reference runs the original in PyTorch, in evaluation mode and float32; None for a description, and where
        PyTorch is not installed.

    Raises
    ------
    UnsupportedError
        LAYER_UNSUPPORTED, ACTIVATION_UNSUPPORTED or FEATURE_UNSUPPORTED: the field is the node that cannot be served,
        and the message says what it is, where, and what could be done.
    InvalidArgumentError
        INVALID_FIELD, if the source is none of these, or an example is missing; DATA_TYPE_MISMATCH.
    InvalidModelError
        MODEL_INVALID; WEIGHTS_MISMATCH, if a state dict and its architecture do not fit.
    CorruptModelError
        MODEL_CORRUPT, if a file is not what its suffix says.
    ModuleNotFoundError
        If the source can only be read with PyTorch, and there is none.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.suffix not in _FILES:
            hint = "a whole pickled module is not opened: use torch.export.save, or save its state dict"
            expected = f"a file of {', '.join(_FILES)}"
            raise error(Reason.INVALID_FIELD, field="source", got=path.name, expected=expected, hint=hint)
        if path.suffix == ".pt2":
            return _from_file(path, name)
        return _from_state_dict(read_state_dict(path), path.stem, example, name, architecture)
    if isinstance(source, Mapping):
        return _from_state_dict(as_arrays(source), "", example, name, architecture)
    return _from_memory(source, example, name)


def convert_program(program: Program, name: str) -> tuple[Model, tuple[str, ...]]:
    """Return the model that a program becomes, and notes."""
    conversion = Conversion(program, CONVERTERS, _model_name(name))
    return conversion.run(), tuple(conversion.notes)


def _from_file(path: Path, name: str) -> Converted:
    program = read_archive(path)
    try:
        model, notes = convert_program(program, name or path.stem)
    except MALFORMED as malformed:  # the arguments of an operator are not as its schema says
        raise not_as_written(path, malformed) from malformed
    try:
        from numbatch.convert.torch.reference import program_reference
    except ModuleNotFoundError:
        return Converted(model, None, notes)
    return Converted(model, program_reference(program, model, KNOWN), notes)


def _from_memory(source: Any, example: Any, name: str) -> Converted:
    try:
        from numbatch.convert.torch.modules import convert_in_memory
    except ModuleNotFoundError:
        raise _no_source(source) from None
    converted = convert_in_memory(source, example, name, convert_program)
    if converted is None:
        raise _no_source(source)
    return converted


def _from_state_dict(arrays: Mapping[str, Array], stem: str, example: Any, name: str, architecture: Any) -> Converted:
    if architecture is None:
        raise error(
            Reason.INVALID_FIELD,
            f"a state dict does not say how its tensors are connected; it holds {listing(arrays)}",
            field="architecture",
            got="none",
            expected="a module, or a Model message as .txtpb",
            hint="a description names a layer for each prefix, in their order: "
            'layers { name: "fc1" dense { activation { function: ACTIVATION_FUNCTION_RELU } } }',
        )
    if isinstance(architecture, str | os.PathLike | Model):
        description = read_description(architecture if isinstance(architecture, Model) else Path(architecture))
        model, notes = filled(description, arrays)
        model.name = _model_name(name or model.name or stem)
        return Converted(model, None, tuple(notes))
    from numbatch.convert.torch.modules import loaded

    return _from_memory(loaded(architecture, arrays), example, name or stem)


def _model_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-")[:128] or "model"


def _no_source(source: Any) -> NumbatchError:
    expected = "a torch.nn.Module, an ExportedProgram, a state dict, or a file of " + ", ".join(_FILES)
    return error(Reason.INVALID_FIELD, field="source", got=type(source).__qualname__, expected=expected)
