"""Random networks of Keras, in several nestings, with random weights: what a reader of its files must get right."""

import random
from typing import Any

import keras
import numpy as np
from keras import layers, ops

FEATURES = 6
_ACTIVATIONS = [
    "relu",
    "tanh",
    "gelu",
    "swish",
    "hard_sigmoid",
    "leaky_relu",
    "softmax",
    "mish",
    "selu",
    "elu",
    "linear",
]


def random_network(seed: int) -> Any:
    """A model of one to three inputs, of Sequential, Functional and shared parts, up to three models deep."""
    choose = random.Random(seed)
    keras.utils.set_random_seed(seed)
    inputs = [keras.Input((FEATURES,), name=f"x{i}") for i in range(choose.randint(1, 3))]
    arrays = list(inputs)
    shared: list[Any] = []
    for _ in range(choose.randint(2, 6)):
        arrays.append(_step(choose, arrays, shared, depth=0))
    outputs = choose.sample(arrays[len(inputs) :], choose.randint(1, min(2, len(arrays) - len(inputs))))
    # Every input is used: what is not would be dropped.
    outputs.append(layers.Concatenate()([*inputs, arrays[-1]]))
    model = keras.Model(inputs, outputs, name=f"network_{seed}")
    randomise(model, seed)
    return model


def randomise(model: Any, seed: int) -> None:
    """Give every variable that is saved a random value; variances are positive."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if np.issubdtype(np.dtype(variable.dtype), np.floating):
            value = rng.normal(0, 0.6, variable.shape)
            variable.assign(np.abs(value) + 0.1 if "variance" in variable.name else value)
    for layer in model._flatten_layers():
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()


def _step(choose: random.Random, arrays: list[Any], shared: list[Any], depth: int) -> Any:
    x, y = choose.choice(arrays), choose.choice(arrays)
    kind = choose.choice(["layer", "layer", "merge", "function", "shared", "nested", "nested"])
    if kind == "merge":
        merge = choose.choice([layers.Add, layers.Subtract, layers.Multiply, layers.Average])
        return merge()([x, y])
    if kind == "function":
        return _of(choose, [lambda: x + y, lambda: x * 0.5 - 1.0, lambda: ops.relu(x) * y, lambda: 1.0 - x])
    if kind == "shared":
        if not shared or choose.random() < 0.4:
            shared.append(_layer(choose) if depth else _model(choose, depth))
        return choose.choice(shared)(x)
    if kind == "nested" and depth < 2:
        return _model(choose, depth)(x)
    return _layer(choose)(x)


def _layer(choose: random.Random) -> Any:
    makers = [
        lambda: layers.Dense(FEATURES, choose.choice(_ACTIVATIONS)),
        lambda: layers.Dense(FEATURES, use_bias=False),
        lambda: layers.BatchNormalization(scale=choose.random() < 0.5, center=choose.random() < 0.5),
        lambda: layers.LayerNormalization(scale=choose.random() < 0.5),
        lambda: layers.Normalization(),
        lambda: layers.Dropout(0.3),
        lambda: layers.LeakyReLU(0.3),
        lambda: layers.Rescaling(0.5, 0.1),
    ]
    return _of(choose, makers)


def _of(choose: random.Random, makers: list[Any]) -> Any:
    return choose.choice(makers)()


def _model(choose: random.Random, depth: int) -> Any:
    if choose.random() < 0.5:
        parts = [_layer(choose) for _ in range(choose.randint(1, 3))]
        if depth < 2 and choose.random() < 0.5:
            parts.insert(choose.randint(0, len(parts)), _model(choose, depth + 1))
        return keras.Sequential([keras.Input((FEATURES,)), *parts])
    x = keras.Input((FEATURES,))
    arrays = [x]
    shared: list[Any] = []
    for _ in range(choose.randint(1, 4)):
        arrays.append(_step(choose, arrays, shared, depth + 1))
    return keras.Model(x, arrays[-1])
