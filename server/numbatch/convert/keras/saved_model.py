"""Reading SavedModel folders of Keras 2: the description from keras_metadata.pb, the weights from the checkpoint.

What Keras 3 exports (`model.export`) and TensorFlow saves holds a program without layers, and is refused. The
program in the folder is never loaded: TensorFlow only reads arrays out of the checkpoint.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.convert.keras.described import read_network
from numbatch.convert.keras.json_text import read_json
from numbatch.convert.keras.network import Network, corrupt
from numbatch.convert.keras.variables import variable_names
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.varints import LENGTH_DELIMITED, VARINT, VarintError, read_varint

# SavedMetadata.nodes; SavedObject.node_path and .metadata (Keras 2's saved_metadata.proto).
_NODES, _PATH, _METADATA = 1, 3, 5


def read_saved_model(folder: Path) -> tuple[Network, str]:
    """Return the network of a SavedModel folder, with its weights, and the version of the Keras that wrote it.

    Raises
    ------
    UnsupportedError
        FEATURE_UNSUPPORTED, if the folder does not say which layers there are.
    ModuleNotFoundError
        If TensorFlow is not installed.
    CorruptModelError
        MODEL_CORRUPT.
    """
    metadata = folder / "keras_metadata.pb"
    if not metadata.is_file():
        if not (folder / "saved_model.pb").is_file():
            raise corrupt("no model", field=str(folder), expected="saved_model.pb or config.json in it")
        raise error(
            Reason.FEATURE_UNSUPPORTED,
            "a SavedModel that holds a program and no layers, as model.export() and tf.saved_model.save() write them",
            field=folder.name,
            hint='save the model itself where it was made: model.save("model.keras")',
        )
    root = _root(metadata.read_bytes(), metadata.name)
    network = read_network(root)
    checkpoint = _Checkpoint(folder / "variables" / "variables")
    _fill(network, checkpoint, checkpoint.root)
    return network, str(root.get("keras_version") or "2")


def _fill(network: Network, checkpoint: "_Checkpoint", node: Any) -> None:
    number = 0
    for operation in network.operations.values():
        nested = operation.network()
        names = variable_names(operation)
        if nested is None and names is None:
            return  # refused by name, when it is converted
        if nested is not None and not _has_any(nested):
            continue
        if nested is None and names is not None and not any(names):
            continue
        below = checkpoint.child(node, f"layer_with_weights-{number}", operation.name)
        number += 1
        if nested is not None:
            _fill(nested, checkpoint, below)
        elif names is not None:
            for name in (*names.trained, *names.kept):
                operation.variables[name] = checkpoint.array(below, name, operation.name)


def _has_any(network: Network) -> bool:
    return any(any(variable_names(layer) or ()) for layer in network.variables_owners())


class _Checkpoint:
    """Arrays by the paths of attributes through which a model reaches them."""

    def __init__(self, prefix: Path) -> None:
        try:
            from tensorflow import train
            from tensorflow.core.protobuf import trackable_object_graph_pb2 as graphs
        except ModuleNotFoundError as missing:
            message = 'a SavedModel takes TensorFlow to be read; or where it was made: model.save("model.keras")'
            raise ModuleNotFoundError(message, name="tensorflow") from missing
        try:
            reader = train.load_checkpoint(str(prefix))
            self._graph = graphs.TrackableObjectGraph.FromString(reader.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
        except Exception as broken:  # TensorFlow's errors have no base of their own
            raise corrupt("a damaged checkpoint", field=str(prefix), got=str(broken)) from broken
        self._read: Callable[[str], Any] = reader.get_tensor

    @property
    def root(self) -> Any:
        return self._graph.nodes[0]

    def child(self, node: Any, name: str, field: str) -> Any:
        for each in node.children:
            if each.local_name == name:
                return self._graph.nodes[each.node_id]
        raise corrupt("the checkpoint has no such part", field=field, got=name)

    def array(self, node: Any, name: str, field: str) -> Any:
        for attribute in self.child(node, name, field).attributes:
            if attribute.name == "VARIABLE_VALUE":
                return np.asarray(self._read(attribute.checkpoint_key))
        raise corrupt("the checkpoint has no such array", field=f"{field}.{name}")


def _root(data: bytes, field: str) -> Mapping[str, Any]:
    try:
        for number, node in _fields(data):
            parts = dict(_fields(node)) if number == _NODES else {}
            if parts.get(_PATH) == b"root":
                return read_json(parts[_METADATA], field)
    except (VarintError, KeyError) as broken:
        raise corrupt("a damaged description", field=field, got=repr(broken)) from broken
    raise corrupt("no description of a model", field=field)


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the length-delimited fields of a protobuf message, by their numbers."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        length, after = read_varint(data, at)
        if tag & 7 == LENGTH_DELIMITED:
            if after + length > len(data):
                raise VarintError
            yield tag >> 3, data[after : after + length]
            at = after + length
        elif tag & 7 == VARINT:
            at = after
        else:
            raise VarintError
