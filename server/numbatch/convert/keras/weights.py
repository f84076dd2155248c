"""Giving the layers of a network their variables, from the three layouts in which Keras keeps them in HDF5."""

from collections.abc import Sequence
from typing import Any

from numbatch.convert.keras.hdf5 import attribute, count_members, member, read_array
from numbatch.convert.keras.network import Network, Operation, corrupt
from numbatch.convert.keras.variables import Names, name_variables, variable_names
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array


def read_weights(network: Network, file: Any) -> None:
    """Read from a `.weights.h5` of Keras 3, or from a file of `save_weights` or `save` in HDF5.

    Raises
    ------
    NumbatchError
        WEIGHTS_MISMATCH, if these are the weights of another model; MODEL_CORRUPT.
    """
    whole = member(file, "model_weights")
    group = file if whole is None else whole
    if attribute(group, "layer_names") is not None:
        _read_by_order(network, group)
    else:
        _read_by_path(network, file)


def _read_by_path(network: Network, file: Any) -> None:
    """Keras 3: by the classes of layers, numbered; the variables of each are "0", "1", ... ."""
    # What Keras 2.12 and 2.13 called the layers of a model.
    old = member(file, "_layer_checkpoint_dependencies") is not None
    for layer in network.variables_owners():
        if not layer.path or _is_quantized(layer):  # the latter is refused by name, when it is converted
            continue
        path = f"{layer.path.replace('layers/', '_layer_checkpoint_dependencies/') if old else layer.path}/vars"
        group = member(file, path)
        count = count_members(group)
        name_variables(layer, [read_array(member(group, str(i)), f"{path}/{i}") for i in range(count)])


def _is_quantized(layer: Operation) -> bool:
    policy = layer.config.get("dtype")
    return isinstance(policy, dict) and "Quantized" in str(policy.get("class_name"))


def _read_by_order(network: Network, group: Any) -> None:
    """Keras 1 and 2, and `.h5` of Keras 3: the layers that have any in the model's order, each a list of arrays."""
    stored = []
    for name in attribute(group, "layer_names"):
        layer_group = member(group, str(name))
        if layer_group is None:
            raise corrupt("a layer is missing", field=str(name))
        names = attribute(layer_group, "weight_names") or []
        if names:
            stored.append([read_array(member(layer_group, str(each)), str(each)) for each in names])
    fill_in_order(network, stored)


def fill_in_order(network: Network, stored: Sequence[Sequence[Array]]) -> None:
    """Give the layers of a network the lists of arrays of those that have any, in the model's order.

    Raises
    ------
    InvalidModelError
        WEIGHTS_MISMATCH, if these do not fit.
    """
    layers = [(layer, slots) for layer in network.operations.values() if (slots := _slots(layer)) is not None]
    with_variables = [(layer, slots) for layer, slots in layers if slots]
    if len(layers) < len(network.operations):
        return  # there is a layer that nothing is known of: it is refused by name, when it is converted
    if len(with_variables) != len(stored):
        raise _mismatch(network.name, f"{len(stored)} layers with weights", f"{len(with_variables)}")
    for (layer, slots), arrays in zip(with_variables, stored, strict=True):
        if len(slots) != len(arrays):
            raise _mismatch(layer.name, f"{len(arrays)} arrays", f"{len(slots)}")
        for (owner, name), array in zip(slots, arrays, strict=True):
            owner.variables[name] = array


def _slots(operation: Operation) -> list[tuple[Operation, str]] | None:
    """Return the variables of a layer or nested model in the order of old files: those that are trained first."""
    parts = _parts(operation, trainable=True)
    return None if parts is None else [*parts[0], *parts[1]]


_Part = tuple[list[tuple[Operation, str]], list[tuple[Operation, str]]]


def _parts(operation: Operation, *, trainable: bool) -> _Part | None:
    trainable = trainable and operation.trainable
    network = operation.network()
    trained: list[tuple[Operation, str]] = []
    kept: list[tuple[Operation, str]] = []
    if network is None:
        names = variable_names(operation)
        if names is None:
            return None
        return _own(operation, names, trainable)
    for layer in network.operations.values():
        part = _parts(layer, trainable=trainable)
        if part is None:
            return None
        trained += part[0]
        kept += part[1]
    return trained, kept


def _own(operation: Operation, names: Names, trainable: bool) -> _Part:
    trained = [(operation, name) for name in names.trained]
    kept = [(operation, name) for name in names.kept]
    return (trained, kept) if trainable else ([], trained + kept)


def _mismatch(field: str, got: str, expected: str) -> Exception:
    return error(
        Reason.WEIGHTS_MISMATCH, "the weights are those of another model", field=field, got=got, expected=expected
    )
