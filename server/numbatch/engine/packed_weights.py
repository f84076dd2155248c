"""Weights on their way into the arena, and out of it."""

from numbatch.engine.graph import Graph
from numbatch.engine.parameters import fold, put_defaults, vector
from numbatch.engine.plan import Plan
from numbatch.engine.precision import in_precision
from numbatch.engine.validation import read_weights
from numbatch.engine.weights import WeightsReader
from numbatch.kernels.packing import pack, pack_bias, unpack
from numbatch.v1.model_pb2 import Layer, Model
from numbatch.wire.layers import weights_field
from numbatch.wire.models import weights_of
from numbatch.wire.tensors import Float32Array


def fill_arena(graph: Graph, plan: Plan, reader: WeightsReader, arena: Float32Array, weights_precision: str) -> None:
    """Read all weights of a model and write them where its plan says.

    Raises
    ------
    ModelError
        Whatever is wrong with them.
    """
    for node in graph.nodes:
        if node.kind != "dense":
            put_defaults(node, plan.vectors[node.name], arena)
    for part in read_weights(graph, reader):
        name = part.node.name
        if part.name == "kernel":
            pack(
                plan.dense[name], in_precision(part.rows, weights_precision, part.field, part.first), arena, part.first
            )
        elif part.node.kind == "dense":
            pack_bias(plan.dense[name], part.rows, arena)
        else:
            there = vector(plan.vectors[name], part.name, arena)
            there[part.first : part.first + len(part.rows)] = part.rows
    for node in graph.nodes:
        if node.kind != "dense":
            fold(node, plan.vectors[node.name], arena)


def put_back(model: Model, plan: Plan, arena: Float32Array) -> None:
    """Write the weights that a model computes with into its message, wherever that has weights without a source."""
    for node in plan.graph.nodes:
        layer = model.layers[node.position]
        if node.kind == "dense":
            kernel, bias = unpack(plan.dense[node.name], arena)
            _set(layer, "kernel", kernel)
            _set(layer, "bias", bias)
        else:
            places = plan.vectors[node.name]
            for name in places.at:
                _set(layer, name, vector(places, name, arena))


def without_weights(model: Model, plan: Plan) -> Model:
    """Return a message without the sources of its weights: they are in the arena."""
    skeleton = Model()
    for node in plan.graph.nodes:
        layer = model.layers[node.position]
        for name in ("kernel", "bias") if node.kind == "dense" else plan.vectors[node.name].at:
            weights = weights_field(layer, name) if _has(layer, name) else None
            if weights is not None:
                weights.ClearField("source")
    # What is cleared is freed only with the message.
    skeleton.CopyFrom(model)
    return skeleton


def _set(layer: Layer, name: str, array: Float32Array) -> None:
    weights = weights_field(layer, name) if _has(layer, name) else None
    if weights is not None:
        weights.CopyFrom(weights_of(array))


def _has(layer: Layer, name: str) -> bool:
    """Return whether a kind of layer has such weights: the arena also holds what is made of them."""
    message = getattr(layer, layer.WhichOneof("kind") or "")
    return name in message.DESCRIPTOR.fields_by_name
