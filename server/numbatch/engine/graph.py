"""A Model message -> a graph of layers in the order of computation, with every name and shape checked."""

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from numbatch.engine.activations import LINEAR, SOFTMAX, Function, read_activation
from numbatch.engine.specs import ArraySpec
from numbatch.v1.model_pb2 import InputSpec, Layer, Model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.layers import KINDS, MOST_ELEMENTS, ArrayType, output_type, vocabularies
from numbatch.wire.models import NUMERIC_CONTRACT
from numbatch.wire.names import is_layer_name, is_model_name
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import data_type_name, is_float32, shape_text


class Node(NamedTuple):
    """One layer of a graph: its message, and what it means in its place.

    Attributes
    ----------
    name, kind : str
        As in `specs.LayerInfo`.
    inputs : tuple of str
        What it takes.
    input_shape, output_shape : tuple of int
        Axes of one example, of its first input and of its output.
    activation : Function
        LINEAR where it has none.
    layer : Layer
        Its message.
    field : str
        The message's path, for errors: "model.layers[2]".
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    activation: Function
    layer: Layer
    field: str

    @property
    def position(self) -> int:
        """Where the layer stands in the model."""
        return int(self.field.removeprefix("model.layers[").rstrip("]"))


class Graph(NamedTuple):
    """A model whose names and shapes are right; its weights have not been looked at.

    Attributes
    ----------
    inputs : tuple of ArraySpec
        The arrays that a request brings.
    nodes : tuple of Node
        In an order in which each comes after what it takes, as near to the message's as that allows.
    outputs : tuple of str
        The names of the nodes that come back where a request names none.
    vocabularies : dict of str to tuple of int
        Of the inputs that are row numbers, for each place of the last axis: how many rows the smallest table has that
        its numbers are looked up in.
    """

    inputs: tuple[ArraySpec, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    vocabularies: dict[str, tuple[int, ...]]


def build_graph(model: Model) -> Graph:
    """Check a model's description and put its layers in order.

    Raises
    ------
    InvalidModelError
        MODEL_INVALID or MODEL_CYCLE, with the path of the field.
    UnsupportedError
        LAYER_UNSUPPORTED, ACTIVATION_UNSUPPORTED, FEATURE_UNSUPPORTED or NUMERIC_CONTRACT_UNSUPPORTED.
    """
    if model.name and not is_model_name(model.name):
        raise _invalid(
            "model.name", got=repr(model.name), expected="letters, digits and . _ -, at most 128, no . first"
        )
    if model.numeric_contract not in ("", NUMERIC_CONTRACT):
        got = repr(model.numeric_contract)
        raise error(
            Reason.NUMERIC_CONTRACT_UNSUPPORTED, field="model.numeric_contract", got=got, expected=NUMERIC_CONTRACT
        )
    inputs = tuple(_input(spec, f"model.inputs[{i}]") for i, spec in enumerate(model.inputs))
    if not inputs:
        raise _invalid("model.inputs", got="none", expected="one or more")
    if not model.layers:
        raise _invalid("model.layers", got="none", expected="one or more")
    elements = sum(spec.elements for spec in inputs)
    if elements > MOST_ELEMENTS:
        got, expected = f"{elements} elements for an example", f"at most {MOST_ELEMENTS}"
        raise _invalid("model.inputs", "together", got=got, expected=expected)
    names = _layer_names(model, inputs)
    wires = _wires(model, names, inputs)
    types = {spec.name: ArrayType(spec.shape, spec.integer) for spec in inputs}
    nodes = []
    for i in _order(names, wires):
        node = _node(model.layers[i], names[i], wires[i], types, f"model.layers[{i}]")
        types[node.name] = ArrayType(node.output_shape)
        nodes.append(node)
    return Graph(inputs, tuple(nodes), _outputs(model, names), _vocabularies(inputs, nodes))


def _input(spec: InputSpec, field: str) -> ArraySpec:
    if not is_layer_name(spec.name):
        raise _invalid(f"{field}.name", got=repr(spec.name), expected="letters, digits and . _ - / :, at most 128")
    if not is_float32(spec.data_type) and spec.data_type != DATA_TYPE_INT32:
        got, expected = data_type_name(spec.data_type), "float32 or int32"
        raise error(Reason.FEATURE_UNSUPPORTED, "input type", field=f"{field}.data_type", got=got, expected=expected)
    shape = tuple(spec.shape)
    if not shape or min(shape) < 1:
        raise _invalid(f"{field}.shape", got=shape_text(shape), expected="one or more axes of 1 or more")
    if math.prod(shape) > MOST_ELEMENTS:
        raise _invalid(f"{field}.shape", got=shape_text(shape), expected=f"at most {MOST_ELEMENTS} elements")
    return ArraySpec(spec.name, shape, "int32" if spec.data_type == DATA_TYPE_INT32 else "float32")


def _layer_names(model: Model, inputs: Sequence[ArraySpec]) -> list[str]:
    names = [layer.name or f"{layer.WhichOneof('kind')}_{i}" for i, layer in enumerate(model.layers)]
    seen: dict[str, str] = {}
    for i, spec in enumerate(inputs):
        _check_unseen(spec.name, f"model.inputs[{i}].name", seen)
    for i, name in enumerate(names):
        field = f"model.layers[{i}].name"
        if not is_layer_name(name):
            raise _invalid(field, got=repr(name), expected="letters, digits and . _ - / :, at most 128")
        _check_unseen(name, field, seen)
    return names


def _check_unseen(name: str, field: str, seen: dict[str, str]) -> None:
    if name in seen:
        raise _invalid(field, f"the same name as {seen[name]}", got=repr(name), expected="distinct names")
    seen[name] = field


def _wires(model: Model, names: Sequence[str], inputs: Sequence[ArraySpec]) -> list[tuple[str, ...]]:
    """Return what each layer takes, by name."""
    known = [spec.name for spec in inputs] + list(names)
    wires: list[tuple[str, ...]] = []
    for i, layer in enumerate(model.layers):
        if not i and not layer.inputs and len(inputs) > 1:
            expected = "the names of what it takes, as the model has several inputs"
            raise _invalid("model.layers[0].inputs", got="none", expected=expected)
        previous = names[i - 1] if i else inputs[0].name
        wires.append(tuple(layer.inputs) or (previous,))
        for j, name in enumerate(layer.inputs):
            if name not in known:
                field = f"model.layers[{i}].inputs[{j}]"
                raise _invalid(field, "no such layer or input", got=repr(name), expected=_closest(name, known))
    return wires


def _order(names: Sequence[str], wires: Sequence[tuple[str, ...]]) -> list[int]:
    """Return the layers in an order in which each comes after what it takes."""
    position = {name: i for i, name in enumerate(names)}
    order: list[int] = []
    done: set[int] = set()
    while len(order) < len(names):
        ready = [
            i
            for i in range(len(names))
            if i not in done and all(position.get(name, -1) in done or name not in position for name in wires[i])
        ]
        if not ready:
            left = next(i for i in range(len(names)) if i not in done)
            circle = _circle(names, wires, position, left)
            raise error(
                Reason.MODEL_CYCLE,
                "the layers depend on each other in a circle",
                field=f"model.layers[{position[circle[0]]}].inputs",
                got=" -> ".join(circle),
            )
        order += ready
        done.update(ready)
    return order


def _circle(names: Sequence[str], wires: Sequence[tuple[str, ...]], position: dict[str, int], start: int) -> list[str]:
    """Follow the inputs of layers that cannot be ordered until one comes twice."""
    path: list[str] = []
    name = names[start]
    while name not in path:
        path.append(name)
        name = next(source for source in wires[position[name]] if source in position)
    return [*path[path.index(name) :], name][::-1]


def _node(layer: Layer, name: str, inputs: tuple[str, ...], types: Mapping[str, ArrayType], field: str) -> Node:
    kind = layer.WhichOneof("kind")
    if kind is None:
        raise _invalid(field, "no kind", got="none", expected=" or ".join(KINDS))
    output = output_type(layer, [types[each] for each in inputs], field)
    activation = LINEAR
    if kind == "dense" and layer.dense.HasField("activation"):
        activation = read_activation(layer.dense.activation, f"{field}.dense.activation")
    elif kind == "activation":
        activation = read_activation(layer.activation, f"{field}.activation")
    elif kind == "softmax":
        activation = SOFTMAX
    return Node(name, kind, inputs, types[inputs[0]].shape, output.shape, activation, layer, field)


def _vocabularies(inputs: Sequence[ArraySpec], nodes: Sequence[Node]) -> dict[str, tuple[int, ...]]:
    return {
        spec.name: vocabularies(spec.shape[-1], [node.layer for node in nodes if spec.name in node.inputs])
        for spec in inputs
        if spec.integer
    }


def _outputs(model: Model, names: Sequence[str]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for i, name in enumerate(model.outputs):
        field = f"model.outputs[{i}]"
        if name not in names:
            raise _invalid(field, "no such layer", got=repr(name), expected=_closest(name, names))
        _check_unseen(name, field, seen)
    return tuple(model.outputs) or (names[-1],)


def _closest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"{close[0]!r} perhaps" if close else "one of " + ", ".join(known[:20])


def _invalid(field: str, problem: str = "", *, got: object = "", expected: object = "") -> NumbatchError:
    return error(Reason.MODEL_INVALID, problem, field=field, got=got, expected=expected)
