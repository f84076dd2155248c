"""Weights by their names: state dicts, from memory, from .safetensors files, and from what torch.save wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.convert.torch.elements import read_elements
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, shape_text

_TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool", "U8": "uint8"} | {
    **{"I8": "int8", "I16": "int16", "I32": "int32", "I64": "int64"},
}
# Where training scripts put the weights in a checkpoint.
_PLACES = ("state_dict", "model_state_dict", "model")
_MOST_NAMED = 12


def read_state_dict(path: Path) -> dict[str, Array]:
    """Return the weights in a file by their names: .safetensors needs no PyTorch, .pt and .pth do.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if it is no such file.
    UnsupportedError
        FEATURE_UNSUPPORTED, if it holds more than tensors, which only unpickling any code could open.
    """
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickled(path)


def as_arrays(state_dict: Mapping[str, Any]) -> dict[str, Array]:
    """Return a state dict with tensors as arrays; those of bfloat16 become float32."""
    return {name: _array(name, tensor) for name, tensor in state_dict.items()}


def listing(arrays: Mapping[str, Array]) -> str:
    """Return which tensors there are, for people."""
    named = [f"{name} {shape_text(array.shape)}" for name, array in list(arrays.items())[:_MOST_NAMED]]
    more = [f"and {len(arrays) - _MOST_NAMED} more"] if len(arrays) > _MOST_NAMED else []
    return ", ".join([*named, *more])


def _read_safetensors(path: Path) -> dict[str, Array]:
    from safetensors import SafetensorError, deserialize  # comes with the extra `server`

    try:
        entries = deserialize(path.read_bytes())  # type: ignore[no-untyped-call]
    except OSError as unreadable:
        raise _corrupt(path, unreadable.strerror or "it cannot be read") from unreadable
    except SafetensorError as malformed:
        raise _corrupt(path, f"no safetensors file: {malformed}") from malformed
    arrays = {}
    for name, entry in sorted(entries, key=lambda each: str(each[0])):
        data_type = _TYPES.get(entry["dtype"], entry["dtype"])
        arrays[name] = read_elements(entry["data"], data_type, name).reshape(entry["shape"])
    return arrays


def _read_pickled(path: Path) -> dict[str, Array]:
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as unreadable:
        raise _corrupt(path, unreadable.strerror or "it cannot be read") from unreadable
    except Exception as malformed:  # of many types, as the file is read by several parts of PyTorch
        if type(malformed).__name__ == "UnpicklingError":
            problem = "it holds more than tensors, and opening that could run any code"
            hint = "save the weights alone: torch.save(module.state_dict(), path), or safetensors.torch.save_file"
            expected = "a state dict"
            raise error(
                Reason.FEATURE_UNSUPPORTED, problem, field=path.name, expected=expected, hint=hint
            ) from malformed
        hint = "a TorchScript archive is not read: export the module with torch.export instead"
        reason = str(malformed).partition("\n")[0] or type(malformed).__name__
        raise _corrupt(path, f"no state dict: {reason}", hint) from malformed
    for place in _PLACES:
        if isinstance(content, Mapping) and isinstance(content.get(place), Mapping):
            content = content[place]
    if not isinstance(content, Mapping) or not all(isinstance(each, torch.Tensor) for each in content.values()):
        raise error(Reason.FEATURE_UNSUPPORTED, field=path.name, got=type(content).__name__, expected="a state dict")
    return as_arrays(content)


def _array(name: str, tensor: Any) -> Array:
    if isinstance(tensor, np.ndarray):
        return tensor
    if not hasattr(tensor, "detach"):
        raise error(Reason.DATA_TYPE_MISMATCH, field=name, got=type(tensor).__name__, expected="a tensor")
    tensor = tensor.detach().cpu()
    array: Array = (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    return array


def _corrupt(path: Path, problem: str, hint: str = "") -> NumbatchError:
    return error(Reason.MODEL_CORRUPT, problem, field=path.name, hint=hint)
