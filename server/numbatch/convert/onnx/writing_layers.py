"""Each kind of layer as ONNX nodes, the last of which gives a tensor of the layer's name."""

from collections.abc import Callable

import numpy as np

from numbatch.convert.onnx.nodes_writer import PRE_ACTIVATION, NodesWriter
from numbatch.convert.onnx.writing_activations import write_activation
from numbatch.engine.activations import LINEAR
from numbatch.engine.graph import Node
from numbatch.engine.parameters import epsilon_of
from numbatch.v1.model_pb2 import POOLING_MEAN


def write_layer(writer: NodesWriter, layer: Node) -> None:
    """Add the nodes of a layer."""
    _KINDS[layer.kind](writer, layer)


def _dense(writer: NodesWriter, layer: Node) -> None:
    is_linear = layer.activation == LINEAR
    part = "" if is_linear else PRE_ACTIVATION
    given = writer.weights(layer)
    names = [writer.constant(layer.name, each, array) for each, array in given.items()]
    if len(layer.input_shape) == 1:
        output = writer.node("Gemm", [layer.inputs[0], *names], layer.name, part)
    elif "bias" in given:
        product = writer.node("MatMul", [layer.inputs[0], names[0]], layer.name, "product")
        output = writer.node("Add", [product, names[1]], layer.name, part)
    else:
        output = writer.node("MatMul", [layer.inputs[0], names[0]], layer.name, part)
    if not is_linear:
        write_activation(writer, layer.activation, output, layer.name)


def _activation(writer: NodesWriter, layer: Node) -> None:
    write_activation(writer, layer.activation, layer.inputs[0], layer.name)


def _flatten(writer: NodesWriter, layer: Node) -> None:
    writer.node("Flatten", [layer.inputs[0]], layer.name, axis=1)


def _reshape(writer: NodesWriter, layer: Node) -> None:
    shape = writer.constant(layer.name, "shape", [0, *layer.output_shape], np.int64)
    writer.node("Reshape", [layer.inputs[0], shape], layer.name)


def _batch_normalization(writer: NodesWriter, layer: Node) -> None:
    """ONNX' features are on the first axis after the batch: with more axes, it is written out."""
    given = writer.weights(layer)
    width = layer.input_shape[-1]
    epsilon = epsilon_of(layer)
    scale, offset = given.get("scale", np.ones(width)), given.get("offset", np.zeros(width))
    if len(layer.input_shape) == 1:
        arrays = {"scale": scale, "offset": offset, "mean": given["mean"], "variance": given["variance"]}
        names = [writer.constant(layer.name, each, array) for each, array in arrays.items()]
        writer.node("BatchNormalization", [layer.inputs[0], *names], layer.name, epsilon=epsilon)
        return
    factor = scale / np.sqrt(given["variance"].astype(np.float64) + epsilon)
    mean = writer.constant(layer.name, "mean", given["mean"])
    centred = writer.node("Sub", [layer.inputs[0], mean], layer.name, "centred")
    scaled = [centred, writer.constant(layer.name, "factor", factor)]
    scaled = [writer.node("Mul", scaled, layer.name, "scaled"), writer.constant(layer.name, "offset", offset)]
    writer.node("Add", scaled, layer.name)


def _normalization(writer: NodesWriter, layer: Node) -> None:
    given = writer.weights(layer)
    mean = writer.constant(layer.name, "mean", given["mean"])
    deviation = writer.constant(layer.name, "deviation", np.sqrt(given["variance"].astype(np.float64)))
    centred = writer.node("Sub", [layer.inputs[0], mean], layer.name, "centred")
    writer.node("Div", [centred, deviation], layer.name)


def _layer_normalization(writer: NodesWriter, layer: Node) -> None:
    given = writer.weights(layer)
    epsilon = epsilon_of(layer)
    arrays = {"scale": np.ones(layer.input_shape[-1])} | given  # ONNX requires a scale
    names = [writer.constant(layer.name, each, array) for each, array in arrays.items()]
    writer.node("LayerNormalization", [layer.inputs[0], *names], layer.name, axis=-1, epsilon=epsilon)


def _add(writer: NodesWriter, layer: Node) -> None:
    writer.node("Sum" if len(layer.inputs) > 2 else "Add", list(layer.inputs), layer.name)


def _multiply(writer: NodesWriter, layer: Node) -> None:
    product = layer.inputs[0]
    for i, each in enumerate(layer.inputs[1:], 2):
        product = writer.node("Mul", [product, each], layer.name, "" if i == len(layer.inputs) else "product")


def _concatenate(writer: NodesWriter, layer: Node) -> None:
    writer.node("Concat", list(layer.inputs), layer.name, axis=-1)


def _embedding(writer: NodesWriter, layer: Node) -> None:
    """Rows that stand for nothing are zeros; a mean of the others is their sum, divided by how many there are."""
    message, ids, name = layer.layer.embedding, layer.inputs[0], layer.name
    if message.start or message.stop:
        ids = _slice_of(writer, ids, message.start, message.stop or _TO_THE_END, name, "ids")
    table = np.array(writer.weights(layer)["table"])
    has_padding = message.HasField("padding_id")
    if has_padding:
        table[message.padding_id] = 0
    given = [writer.constant(name, "table", table), ids]
    if not message.pooling:
        writer.node("Gather", given, name, axis=0)
        return
    rows = writer.node("Gather", given, name, "rows", axis=0)
    axis = writer.constant(name, "axis", [-2], np.int64)
    is_mean = message.pooling == POOLING_MEAN
    if not (is_mean and has_padding):
        writer.node("ReduceMean" if is_mean else "ReduceSum", [rows, axis], name, keepdims=0)
        return
    total = writer.node("ReduceSum", [rows, axis], name, "sum", keepdims=0)
    padding = writer.constant(name, "padding", message.padding_id, np.int32)
    is_padding = writer.node("Equal", [ids, padding], name, "is_padding")
    is_there = writer.node("Cast", [writer.node("Not", [is_padding], name, "is_there")], name, "ones", to=1)
    last = writer.constant(name, "last", [-1], np.int64)
    count = writer.node("ReduceSum", [is_there, last], name, "count", keepdims=1)
    least = writer.constant(name, "one", 1)
    writer.node("Div", [total, writer.node("Max", [count, least], name, "count_or_one")], name)


def _slice(writer: NodesWriter, layer: Node) -> None:
    _slice_of(writer, layer.inputs[0], layer.layer.slice.start, layer.layer.slice.stop, layer.name)


def _slice_of(writer: NodesWriter, x: str, start: int, stop: int, name: str, part: str = "") -> str:
    values = {"start": start, "stop": stop, "slice_axis": -1}
    ends = [writer.constant(name, each, [value], np.int64) for each, value in values.items()]
    return writer.node("Slice", [x, *ends], name, part)


_TO_THE_END = 2**62

_KINDS: dict[str, Callable[[NodesWriter, Node], None]] = {
    "dense": _dense,
    "activation": _activation,
    "softmax": _activation,
    "flatten": _flatten,
    "reshape": _reshape,
    "batch_normalization": _batch_normalization,
    "normalization": _normalization,
    "layer_normalization": _layer_normalization,
    "add": _add,
    "multiply": _multiply,
    "concatenate": _concatenate,
    "embedding": _embedding,
    "slice": _slice,
}
