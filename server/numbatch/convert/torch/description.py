"""Weights for a network that is described by a Model message: layers are named like the prefixes of a state dict.

A dense layer "fc1" takes fc1.weight, transposed, and fc1.bias; a batch_normalization weight, bias, running_mean and
running_var; a layer_normalization weight and bias; an embedding weight. Widths that the description leaves out (units,
vocabulary_size) are those of the weights, and an epsilon that it leaves out is PyTorch's, 1e-5.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from google.protobuf import text_format

from numbatch.convert.torch.state_dict import listing
from numbatch.v1.model_pb2 import Layer, Model
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.models import NUMERIC_CONTRACT, weights_of
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, shape_text

# The fields of kinds of layers that have weights, and what PyTorch calls them.
_FIELDS = {
    "dense": {"kernel": "weight", "bias": "bias"},
    "batch_normalization": {"mean": "running_mean", "variance": "running_var", "scale": "weight", "offset": "bias"},
    "layer_normalization": {"scale": "weight", "offset": "bias"},
    "embedding": {"table": "weight"},
}
_REQUIRED = {"kernel", "mean", "variance", "table"}
_IGNORED = ("num_batches_tracked",)
_EPSILON = 1e-5


def read_description(source: Path | Model) -> Model:
    """Return a description of a network: a Model message, or one in text form in a file.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if the file cannot be read or is none.
    """
    model = Model()
    if isinstance(source, Model):
        model.CopyFrom(source)
        return model
    try:
        return text_format.Parse(source.read_bytes(), model)
    except OSError as unreadable:
        raise error(Reason.MODEL_CORRUPT, unreadable.strerror or "", field=source.name) from unreadable
    except (text_format.ParseError, UnicodeDecodeError) as malformed:
        hint = "a Model message in text form (numbatch/v1/model.proto), without weights"
        raise error(Reason.MODEL_CORRUPT, str(malformed), field=source.name, hint=hint) from malformed


def filled(description: Model, arrays: Mapping[str, Array]) -> tuple[Model, list[str]]:
    """Return the model that a description and the weights for it make, and notes.

    Raises
    ------
    InvalidModelError
        WEIGHTS_MISMATCH, if weights are missing, left over, or of another width.
    """
    model, notes, left = Model(), [], dict(arrays)
    model.CopyFrom(description)
    model.numeric_contract = model.numeric_contract or NUMERIC_CONTRACT
    defaults = []
    for layer in model.layers:
        kind = layer.WhichOneof("kind") or ""
        if kind not in _FIELDS:
            continue
        message = getattr(layer, kind)
        for field, suffix in _FIELDS[kind].items():
            array = left.pop(f"{layer.name}.{suffix}", None)
            if array is None and field in _REQUIRED and not message.HasField(field):
                raise _mismatch(layer, f"{layer.name}.{suffix} is missing", listing(arrays))
            if array is not None:
                getattr(message, field).CopyFrom(weights_of(array.T if field == "kernel" else array))
        if kind.endswith("_normalization") and not message.HasField("epsilon"):
            message.epsilon = _EPSILON
            defaults.append(layer.name)
        _set_widths(layer)
    left = {name: array for name, array in left.items() if not name.endswith(_IGNORED)}
    if left:
        hint = "name a layer for each of these, or take them out of the state dict"
        problem = "weights that no layer takes"
        raise error(Reason.WEIGHTS_MISMATCH, problem, field="architecture", got=listing(left), hint=hint)
    if defaults:
        notes.append(f"The epsilon of {', '.join(defaults)} was not described and is PyTorch's default, {_EPSILON:g}.")
    if any(array.dtype.kind == "f" and array.dtype.itemsize != 4 for array in arrays.values()):
        notes.append("Weights of other widths were rounded to float32, in which everything is computed.")
    return model, notes


def _set_widths(layer: Layer) -> None:
    """Take the widths of a layer from its weights, or compare them."""
    kind = layer.WhichOneof("kind")
    if kind not in ("dense", "embedding"):
        return
    message = getattr(layer, kind)
    weights = message.kernel if kind == "dense" else message.table
    fields = ("", "units") if kind == "dense" else ("vocabulary_size", "units")
    if len(weights.shape) != len(fields):
        raise _mismatch(layer, "weight", shape_text(weights.shape[::-1]), "a matrix")
    for field, length in zip(fields, weights.shape, strict=True):
        if field and getattr(message, field) not in (0, length):
            raise _mismatch(layer, f"{field} of its weights", length, getattr(message, field))
        if field:
            setattr(message, field, length)
    if kind == "dense" and message.HasField("bias") and np.prod(message.bias.shape) != message.units:
        raise _mismatch(layer, "bias", shape_text(message.bias.shape), shape_text([message.units]))


def _mismatch(layer: Layer, problem: str, got: object, expected: object = "") -> NumbatchError:
    return error(Reason.WEIGHTS_MISMATCH, problem, field=layer.name, got=got, expected=expected)
