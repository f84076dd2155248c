"""A Model run by NumPy in float64: what a converter's tests and the engine's graphs are compared with."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from numbatch.v1.model_pb2 import POOLING_MEAN, Layer, Model
from numbatch.wire.models import array_of
from numbatch.wire.names import DEFAULT_ALPHAS, activation_name

Array = npt.NDArray[Any]

_erf = np.vectorize(math.erf)


def run(model: Model, inputs: Mapping[str, Any]) -> dict[str, Array]:
    """Return the outputs of all layers by name; the first axis of each input is the batch.

    Layers are named and come after what they take, as what builds models writes them.
    """
    values = {spec.name: np.asarray(inputs[spec.name]) for spec in model.inputs}
    previous = model.inputs[0].name
    for layer in model.layers:
        taken = [values[name] for name in layer.inputs or [previous]]
        values[layer.name] = _run(layer, taken)
        previous = layer.name
    return {layer.name: values[layer.name] for layer in model.layers}


def activate(name: str, z: Array, alpha: float = 0.0) -> Array:
    sigmoid = 1 / (1 + np.exp(-z))
    softplus = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    hard_sigmoid = np.clip(z + 3, 0, 6) / 6
    shifted = z - z.max(-1, keepdims=True)
    exponentials = np.exp(shifted)
    negative = np.expm1(np.minimum(z, 0))
    results: dict[str, Array] = {
        "linear": z,
        "sigmoid": sigmoid,
        "tanh": np.tanh(z),
        "relu": np.maximum(z, 0),
        "relu6": np.clip(z, 0, 6),
        "leaky_relu": np.where(z > 0, z, alpha * z),
        "elu": np.where(z > 0, z, alpha * negative),
        "selu": 1.0507009873554805 * np.where(z > 0, z, 1.6732632423543773 * negative),
        "gelu_erf": z / 2 * (1 + _erf(z / math.sqrt(2))),
        "gelu_tanh": z / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))),
        "silu": z * sigmoid,
        "softplus": softplus,
        "softsign": z / (1 + np.abs(z)),
        "hard_sigmoid": hard_sigmoid,
        "hard_silu": z * hard_sigmoid,
        "mish": z * np.tanh(softplus),
        "exponential": np.exp(z),
        "log_sigmoid": -(np.maximum(-z, 0) + np.log1p(np.exp(-np.abs(z)))),
        "softmax": exponentials / exponentials.sum(-1, keepdims=True),
        "log_softmax": shifted - np.log(exponentials.sum(-1, keepdims=True)),
    }
    return results[name]


def _run(layer: Layer, taken: list[Array]) -> Array:
    kind = layer.WhichOneof("kind")
    if kind == "embedding":
        return _embedding(layer, taken[0])
    if kind == "slice":
        return taken[0][..., layer.slice.start : layer.slice.stop]
    x = taken[0].astype(np.float64)
    message = getattr(layer, kind or "")

    def weights(name: str, default: float = 0.0) -> Array:
        there = message.HasField(name)
        return array_of(getattr(message, name)).astype(np.float64) if there else np.full(1, default)

    if kind == "dense":
        return _function(message.activation, x @ weights("kernel") + weights("bias"))
    if kind == "activation":
        return _function(message, x)
    if kind == "softmax":
        return activate("softmax", x)
    if kind == "flatten":
        return x.reshape(len(x), -1)
    if kind == "reshape":
        return x.reshape(len(x), *message.shape)
    if kind == "normalization":
        return (x - weights("mean")) / np.sqrt(weights("variance"))
    if kind == "add":
        return np.asarray(np.sum(taken, axis=0))
    if kind == "multiply":
        return np.asarray(np.prod(taken, axis=0))
    if kind == "concatenate":
        return np.concatenate(taken, axis=-1)
    epsilon = message.epsilon if message.HasField("epsilon") else 0.001
    if kind == "batch_normalization":
        mean, variance = weights("mean"), weights("variance")
    else:
        mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return weights("scale", 1.0) * (x - mean) / np.sqrt(variance + epsilon) + weights("offset")


def _function(activation: Any, z: Array) -> Array:
    name = activation_name(activation.function) if activation.function else "linear"
    alpha = activation.alpha if activation.HasField("alpha") else DEFAULT_ALPHAS.get(name, 0.0)
    return activate(name, z, alpha)


def _embedding(layer: Layer, ids: Array) -> Array:
    embedding = layer.embedding
    ids = ids[..., embedding.start : embedding.stop or None]
    rows = array_of(embedding.table).astype(np.float64)[ids]
    if not embedding.pooling:
        return rows
    there = np.ones(ids.shape) if not embedding.HasField("padding_id") else (ids != embedding.padding_id) * 1.0
    total: Array = (rows * there[..., None]).sum(-2)
    count = np.maximum(there.sum(-1), 1)[..., None]
    return total / count if embedding.pooling == POOLING_MEAN else total
