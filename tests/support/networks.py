"""Whole networks: their weights drawn anywhere alike, their outputs by the oracle, and a digest of them."""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from numbatch.engine import load_model, set_compute_threads
from numbatch.kernels import reference
from numbatch.kernels.blocking import example_block, sharing
from numbatch.kernels.target import NR
from numbatch.models import Activation, Dense, Input, Sequential
from numbatch.v1.model_pb2 import ACTIVATION_FUNCTION_LINEAR, ActivationFunction, Model
from numbatch.wire.models import array_of
from numbatch.wire.names import DEFAULT_ALPHAS, activation_name

ACTIVATIONS = [activation_name(number) for number in ActivationFunction.values() if number]

# As much work as threads share: panels of a row or a few, rows of many. The second has weights so small that threads
# take rows of smaller batches too.
WIDE = ([300, 700, 257, 17], ["relu", "gelu_erf", "softmax"])
NARROW = ([60, 250, 130, 9], ["tanh", "elu", "linear"])


def drawn(name: str, *shape: int) -> Any:
    """Numbers from -1 to 1 that follow from a name, and from no generator that could change."""
    data = hashlib.shake_256(name.encode()).digest(4 * int(np.prod(shape)))
    return (np.frombuffer(data, "<i4").astype(np.float32) / np.float32(2**31)).reshape(shape)


def network(widths: Sequence[int], activations: Sequence[str], name: str = "net") -> Model:
    """A chain of dense layers from the first width to the last."""
    layers = []
    for i, (inputs, units, activation) in enumerate(zip(widths[:-1], widths[1:], activations, strict=True)):
        kernel = drawn(f"{name} kernel {i}", inputs, units) * np.float32(2 / np.sqrt(inputs))
        alpha = 0.3 if activation in DEFAULT_ALPHAS else None
        bias = drawn(f"{name} bias {i}", units)
        layers.append(Dense(units, Activation(activation, alpha=alpha), weights=[kernel, bias]))
    return Sequential([Input(widths[:1]), *layers]).to_message(name)


def by_hand(model: Model, x: Any) -> dict[str, Any]:
    """Every layer's output, of a chain of dense layers, by the oracle."""
    outputs = {}
    for layer in model.layers:
        name = activation_name(layer.dense.activation.function or ACTIVATION_FUNCTION_LINEAR)
        alpha = layer.dense.activation.alpha
        if not layer.dense.activation.HasField("alpha"):
            alpha = DEFAULT_ALPHAS.get(name, 0.0)
        x = reference.dense(x, array_of(layer.dense.kernel), array_of(layer.dense.bias), name, alpha)
        outputs[layer.name] = x
    return outputs


def how_shared(widths: Sequence[int], rows: int, threads: int) -> int:
    """ALONE, BY_ROWS or BY_PANELS: how threads share a batch of such a network."""
    weights = sum(inputs * -(-units // NR) * NR for inputs, units in zip(widths[:-1], widths[1:], strict=True))
    return sharing(rows, weights, example_block(1, sum(widths)), threads)


def digest_of_networks(weights_precision: str, threads: int) -> str:
    """A digest of every layer's output: of networks large enough to be shared, and of one with each activation."""
    set_compute_threads(threads)
    digest = hashlib.sha256()
    cases = [(*WIDE, (1, 20, 130)), (*NARROW, (45,))]
    cases += [([37, 67, 33, 5], [activation] * 3, (1, 5, 29)) for activation in ACTIVATIONS]
    for widths, activations, batches in cases:
        model = load_model(network(widths, activations), weights_precision=weights_precision)
        for rows in batches:
            x = drawn(f"input {rows}", rows, widths[0]) * np.float32(4)
            for output in model.infer(x, layers=[layer.name for layer in model.summary.layers]).values():
                digest.update(output.tobytes())
    return digest.hexdigest()
