"""Graphs of every kind of layer: small models, and all their layers' outputs by the oracle, bit for bit."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from numbatch.engine import load_model, set_compute_threads
from numbatch.kernels import reference, reference_layers
from numbatch.v1.model_pb2 import POOLING_MEAN, Layer, Model
from numbatch.wire.graph import GraphWriter
from numbatch.wire.models import array_of
from numbatch.wire.names import DEFAULT_ALPHAS, activation_name
from support.networks import drawn

Arrays = Mapping[str, Any]


def residual() -> Model:
    """Two blocks of dense, normalisation and activation, each added to what it was given."""
    graph = GraphWriter("residual")
    x = graph.input("x", [40])
    y = graph.dense(x, _kernel("stem", 40, 96), drawn("stem bias", 96), name="stem")
    for block in range(2):
        name = f"block{block}"
        z = graph.batch_normalization(y, *_statistics(name, 96), name=f"{name}.bn")
        z = graph.activation(z, "relu", name=f"{name}.relu")
        z = graph.dense(z, _kernel(name, 96, 96), name=f"{name}.dense")
        z = graph.layer_normalization(z, drawn(f"{name} s", 96), drawn(f"{name} o", 96), name=f"{name}.ln")
        y = graph.add([y, z, x_of(graph, x, name)], name=f"{name}.add")
    y = graph.activation(y, "gelu_erf", name="gelu")
    return graph.model([graph.dense(y, _kernel("head", 96, 5), drawn("head bias", 5), "softmax", name="head")])


def x_of(graph: GraphWriter, x: Any, name: str) -> Any:
    """The input, brought to the width of a block."""
    return graph.dense(x, _kernel(f"{name} skip", 40, 96), name=f"{name}.skip")


def wide_and_deep() -> Model:
    """Numbers, words and categories, side by side: two outputs."""
    graph = GraphWriter("wide_and_deep")
    wide, numbers = graph.input("wide", [33]), graph.input("numbers", [7])
    words, tags = graph.input("words", [6], integer=True), graph.input("tags", [2, 3], integer=True)
    normal = graph.normalization(numbers, drawn("mean", 7), abs(drawn("variance", 7)) + np.float32(0.1), name="normal")
    mean = graph.embedding(words, drawn("words", 50, 16), pooling="mean", padding_id=0, name="words_mean")
    sums = graph.flatten(graph.embedding(tags, drawn("tags", 9, 5), pooling="sum", name="tags_sum"), name="tags_flat")
    apart = graph.embedding(tags, drawn("more", 12, 3), start=1, stop=3, name="tags_apart")
    apart = graph.flatten(apart, name="apart_flat")
    sums = graph.slice(sums, 2, 9, name="some_sums")
    deep = graph.concatenate([normal, mean, sums, apart], name="deep")
    deep = graph.dense(deep, _kernel("deep", deep.shape[0], 64), drawn("deep bias", 64), "silu", name="hidden")
    gate = graph.dense(wide, _kernel("gate", 33, 64), drawn("gate bias", 64), "sigmoid", name="gate")
    both = graph.multiply([deep, gate], name="gated")
    scores = graph.dense(both, _kernel("scores", 64, 4), drawn("scores bias", 4), name="scores")
    return graph.model([scores, graph.softmax(scores, name="probabilities")])


def sequence() -> Model:
    """An example of several rows, in several shapes."""
    graph = GraphWriter("sequence")
    x, more = graph.input("x", [3, 8]), graph.input("more", [4, 6])
    y = graph.dense(x, _kernel("first", 8, 24), drawn("first bias", 24), name="first")
    y = graph.activation(y, "tanh", name="tanh")
    other = graph.dense(graph.reshape(more, [3, 8], name="as_x"), _kernel("other", 8, 24), name="other")
    y = graph.add([y, other, y], name="sum")
    y = graph.layer_normalization(y, name="normal")
    y = graph.reshape(y, [9, -1], name="nine")
    y = graph.concatenate([y, graph.reshape(other, [9, 8], name="other_nine")], name="side_by_side")
    y = graph.dense(graph.flatten(y, name="flat"), _kernel("last", 144, 32), drawn("last bias", 32), name="last")
    return graph.model([graph.activation(y, "log_softmax", name="log_probabilities")])


GRAPHS: dict[str, Callable[[], Model]] = {
    "residual": residual,
    "wide_and_deep": wide_and_deep,
    "sequence": sequence,
}


def examples(model: Model, rows: int) -> dict[str, Any]:
    """A batch for a model; row numbers below 9, some of them 0."""
    batch = {}
    for spec in model.inputs:
        numbers = drawn(f"{spec.name} {rows}", rows, *spec.shape)
        integer = spec.data_type not in (0, 1)
        batch[spec.name] = (np.abs(numbers) * 9).astype(np.int32) if integer else numbers * np.float32(4)
    return batch


def by_oracle(model: Model, inputs: Arrays) -> dict[str, Any]:
    """Every layer's output, by the oracle; the first axis of an input is the batch."""
    values = dict(inputs)
    for layer in model.layers:
        values[layer.name] = _layer(layer, [values[name] for name in layer.inputs])
    return {layer.name: values[layer.name] for layer in model.layers}


def digest_of_graphs(threads: int) -> str:
    """A digest of every layer's output of every graph, alone and in batches."""
    set_compute_threads(threads)
    digest = hashlib.sha256()
    for make in GRAPHS.values():
        model = load_model(make())
        for rows in (1, 20, 230):
            batch = examples(model.message(), rows)
            for output in model.infer(batch, layers=[layer.name for layer in model.summary.layers]).values():
                digest.update(output.tobytes())
    return digest.hexdigest()


def _kernel(name: str, inputs: int, units: int) -> Any:
    return drawn(f"{name} kernel", inputs, units) * np.float32(2 / np.sqrt(inputs))


def _statistics(name: str, features: int) -> list[Any]:
    mean, variance, scale, offset = (drawn(f"{name} {part}", features) for part in ("mean", "var", "scale", "offset"))
    return [mean, abs(variance), scale, offset]


def _layer(layer: Layer, taken: list[Any]) -> Any:
    kind = layer.WhichOneof("kind") or ""
    message, x = getattr(layer, kind), taken[0]
    if kind == "embedding":
        return _embedding(message, x)
    if kind in ("flatten", "reshape"):
        return x.reshape(len(x), *(message.shape if kind == "reshape" else [-1]))
    if kind == "concatenate":
        return np.concatenate(taken, axis=-1)
    if kind == "slice":
        return x[..., message.start : message.stop]
    if kind in ("add", "multiply"):
        combine = reference_layers.add if kind == "add" else reference_layers.multiply
        for other in taken[1:]:
            x = combine(x, other)
        return x
    return _rows(kind, message, x.reshape(-1, x.shape[-1])).reshape(*x.shape[:-1], -1)


def _rows(kind: str, message: Any, x: Any) -> Any:
    width = x.shape[1]

    def weights(name: str, default: float) -> Any:
        return array_of(getattr(message, name)) if message.HasField(name) else np.full(width, default, np.float32)

    if kind == "dense":
        name, alpha = _function(message.activation)
        bias = array_of(message.bias) if message.HasField("bias") else None
        return reference.dense(x, array_of(message.kernel), bias, name, alpha)
    if kind == "softmax":
        return reference.activate(x, "softmax")
    if kind == "activation":
        return reference.activate(x, *_function(message))
    if kind == "normalization":
        factor = reference_layers.folded(array_of(message.variance), 1.0, 0.0)
        return reference_layers.affine(x, array_of(message.mean), factor, np.zeros(width))
    epsilon = message.epsilon if message.HasField("epsilon") else 0.001
    scale, offset = weights("scale", 1), weights("offset", 0)
    if kind == "layer_normalization":
        return reference_layers.layer_norm(x, scale, offset, epsilon)
    factor = reference_layers.folded(array_of(message.variance), scale, epsilon)
    return reference_layers.affine(x, array_of(message.mean), factor, offset)


def _function(activation: Any) -> tuple[str, float]:
    name = activation_name(activation.function) if activation.function else "linear"
    return name, activation.alpha if activation.HasField("alpha") else DEFAULT_ALPHAS.get(name, 0.0)


def _embedding(embedding: Any, ids: Any) -> Any:
    table = array_of(embedding.table)
    ids = ids[..., embedding.start : embedding.stop or None]
    if not embedding.pooling:
        return table[ids]
    padding = embedding.padding_id if embedding.HasField("padding_id") else -1
    mean = embedding.pooling == POOLING_MEAN
    rows = reference_layers.look_up(ids.reshape(-1, ids.shape[-1]), table, mean=mean, padding=padding)
    return rows.reshape(*ids.shape[:-1], -1)
