"""Back to Keras: a `.keras` file, written without Keras."""

import io
import json
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.convert.keras.described import snake_case
from numbatch.convert.keras.layer_writer import Written
from numbatch.convert.keras.writing_layers import write_layer
from numbatch.engine.graph import Graph, Node, build_graph
from numbatch.engine.weights import WeightsReader
from numbatch.v1.model_pb2 import Model

# The oldest whose layers and functions are all that is written.
_KERAS = "3.10.0"
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def write_keras(model: Model, path: Path, folder: Path | None) -> dict[str, str]:
    """Write a model, as `numbatch.convert.to_keras` says."""
    graph = build_graph(model)
    names = _names([*(spec.name for spec in graph.inputs), *(node.name for node in graph.nodes)])
    reader = WeightsReader(folder)
    written = [_input(names[spec.name], spec.shape, spec.integer) for spec in graph.inputs]
    taken = set(names.values())
    for node in _needed(graph):
        written += write_layer(node, names, taken, reader)
    outputs = [names[name] for name in graph.outputs]
    ordered = _in_order_of_keras(written, [names[spec.name] for spec in graph.inputs], outputs)
    config = {
        "name": _clean(model.name) or "model",
        "trainable": True,
        "layers": [layer.config for layer in ordered],
        "input_layers": _tensors([names[spec.name] for spec in graph.inputs]),
        "output_layers": _tensors(outputs),
    }
    description = {
        "module": "keras.src.models.functional",
        "class_name": "Functional",
        "config": config,
        "registered_name": "Functional",
    }
    _write(path, description, _weights(ordered))
    return {name: keras_name for name, keras_name in names.items() if name != keras_name}


def _input(name: str, shape: Iterable[int], integer: bool) -> Written:
    config = {"batch_shape": [None, *shape], "dtype": "int32" if integer else "float32", "name": name}
    described = {"module": "keras.layers", "class_name": "InputLayer", "config": config, "registered_name": None}
    return Written({**described, "name": name, "inbound_nodes": []})


def _tensors(names: list[str]) -> list[Any]:
    """Return what gives tensors; one alone comes without a list, so that Keras takes and returns an array."""
    tensors = [[name, 0, 0] for name in names]
    return tensors if len(tensors) > 1 else tensors[0]


def _needed(graph: Graph) -> list[Node]:
    """Return the nodes that outputs come of, in order."""
    needed = set(graph.outputs)
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in graph.nodes if node.name in needed]


def _names(names: Iterable[str]) -> dict[str, str]:
    """Return names that Keras can have, as near to the given ones as may be."""
    given = list(names)
    kept = {name: name for name in given if _clean(name) == name}
    taken = set(kept.values())
    for name in given:
        if name not in kept:
            unique, number = _clean(name), 0
            while unique in taken:
                number += 1
                unique = f"{_clean(name)}_{number}"
            taken.add(unique)
            kept[name] = unique
    return kept


def _clean(name: str) -> str:
    return re.sub(r"[/:]", "_", name)


def _in_order_of_keras(written: list[Written], inputs: list[str], outputs: list[str]) -> list[Written]:
    """Return the layers in the order in which Keras will have them, for it finds weights by counting.

    Those farthest from the outputs come first; of those equally far, what a search from the outputs finds first.
    """
    by_name = {layer.name: layer for layer in written}
    found: dict[str, int] = {}
    waiting = list(reversed(outputs))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = len(found)
            waiting += reversed(by_name[name].inputs)
    depths = dict.fromkeys(found, 0)
    for layer in reversed(written):
        if layer.name in depths:
            for name in layer.inputs:
                depths[name] = max(depths[name], depths[layer.name] + 1)
    unused = [name for name in inputs if name not in found]
    return [by_name[name] for name in [*sorted(found, key=lambda name: (-depths[name], found[name])), *unused]]


def _weights(layers: list[Written]) -> bytes:
    from numbatch.convert.keras.hdf5 import new_hdf5

    stored = io.BytesIO()
    with new_hdf5(stored) as file:
        numbers: dict[str, int] = {}
        for layer in layers:
            if layer.is_function:
                continue
            kind = snake_case(layer.kind)
            number = numbers[kind] = numbers.get(kind, -1) + 1
            group = file.create_group(f"layers/{kind}_{number}/vars" if number else f"layers/{kind}/vars")
            group.attrs["name"] = layer.name
            for i, array in enumerate(layer.variables):
                group.create_dataset(str(i), data=np.asarray(array))
        file.create_group("vars")
    return stored.getvalue()


def _write(path: Path, description: Mapping[str, Any], weights: bytes) -> None:
    parts = {
        "metadata.json": json.dumps({"keras_version": _KERAS}).encode(),
        "config.json": json.dumps(description).encode(),
        "model.weights.h5": weights,
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, _NO_DATE), data)
