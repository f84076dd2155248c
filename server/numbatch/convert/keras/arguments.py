"""Reading what an operation was called with, from the description of a network.

Keras 3 writes a call as a dict of args and kwargs, Keras 2 as a list of [layer, call, output, kwargs]; both are read.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from numbatch.convert.keras.network import Ref


def read_arguments(node: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the args and kwargs of a call: tensors as Refs, constants as arrays."""
    if isinstance(node, Mapping):
        args, kwargs = _value(node.get("args", [])), _value(node.get("kwargs", {}))
        return tuple(args), dict(kwargs)
    if node and isinstance(node[0], str):  # of a function of TensorFlow: one tensor, the others among the kwargs
        return (_old_ref(node),), _old_kwargs(node)
    taken = [_old_ref(each) for each in node]
    kwargs = _old_kwargs(node[0]) if node else {}
    return (taken[0] if len(taken) == 1 else taken,), kwargs


def _old_ref(data: Any) -> Any:
    if data[0] == "_CONSTANT_VALUE":
        return data[2]
    return Ref(str(data[0]), int(data[1]), int(data[2]))


def _old_kwargs(data: Any) -> dict[str, Any]:
    return {key: _old_value(value) for key, value in (data[3] if len(data) > 3 else {}).items()}


def _old_value(value: Any) -> Any:
    if isinstance(value, list):
        if len(value) >= 3 and isinstance(value[0], str) and all(isinstance(each, int) for each in value[1:3]):
            return _old_ref(value)
        return [_old_value(each) for each in value]
    return value


def _value(data: Any) -> Any:
    if isinstance(data, list):
        return [_value(each) for each in data]
    if not isinstance(data, Mapping):
        return data
    kind, config = data.get("class_name"), data.get("config")
    if kind == "__keras_tensor__":
        name, call, output = config["keras_history"]  # type: ignore[index]
        return Ref(str(name), int(call), int(output))
    if kind in ("__numpy__", "__tensor__"):
        return np.asarray(config["value"], dtype=_dtype(config["dtype"]))  # type: ignore[index]
    if kind == "__slice__":
        return slice(config["start"], config["stop"], config["step"])  # type: ignore[index]
    if kind == "__ellipsis__":
        return ...
    if kind == "__tuple__":
        return tuple(_value(each) for each in config["value"])  # type: ignore[index]
    return {key: _value(each) for key, each in data.items()}


def _dtype(name: str) -> str:
    return "float32" if name in ("bfloat16", "float16") else name
