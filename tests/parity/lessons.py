"""What every course on neural networks begins with, as TensorFlow computes it: run it to record that, for tests.

`PYTHONPATH=tests python -m parity.lessons` writes recorded.npz: of each lesson the input, the weights and what each
layer gives, by "<lesson>/x", "<lesson>/<layer>.kernel" and ".bias", and "<lesson>/<layer>".
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

RECORDED = Path(__file__).parent / "recorded.npz"

Arrays = dict[str, Any]

# The layers of each lesson, in order: a name and an activation.
LESSONS: Mapping[str, list[tuple[str, str]]] = {
    "an affine function of one feature": [("affine", "linear")],
    "an affine function of many features": [("affine", "linear")],
    "the weighted sum": [("sum", "linear")],
    "one neuron": [("neuron", "sigmoid")],
    "a minibatch through 3 and 5 sigmoids": [("hidden", "sigmoid"), ("output", "sigmoid")],
    "a model of its own class, 10 and 20 sigmoids": [("first", "sigmoid"), ("second", "sigmoid")],
    "rank 1": [("first", "tanh"), ("second", "relu")],
    "rank 2": [("first", "tanh"), ("second", "relu")],
    "rank 3": [("first", "tanh"), ("second", "relu")],
    "sigmoid alone": [("sigmoid", "sigmoid")],
    "tanh alone": [("tanh", "tanh")],
    "relu alone": [("relu", "relu")],
}

ALONE = [name for name in LESSONS if name.endswith("alone")]


def taught(lesson: str) -> Arrays:
    """Compute a lesson with TensorFlow: the input, the weights, and what each layer gives."""
    import keras
    import tensorflow as tf

    rng = np.random.default_rng(sorted(LESSONS).index(lesson))

    def numbers(*shape: int) -> Any:
        return rng.normal(size=shape).astype(np.float32)

    if lesson in ALONE:
        (name, function) = LESSONS[lesson][0]
        x = np.concatenate([np.linspace(-12, 12, 97, dtype=np.float32), numbers(31)])[None]
        return {"x": x, name: np.asarray(getattr(tf.nn, function)(tf.constant(x)))}
    if lesson.startswith("an affine"):
        features = 1 if lesson.endswith("one feature") else 12
        x, w, b = numbers(6, features), numbers(features, 1), numbers(1)
        z = tf.linalg.matmul(x, w) + b
        return {"x": x, "affine.kernel": w, "affine.bias": b, "affine": np.asarray(z)}
    if lesson == "the weighted sum":
        x, w = numbers(10), numbers(10)
        z = tf.reduce_sum(tf.multiply(w, x))
        return {"x": x, "sum.kernel": w[:, None], "sum": np.asarray(z)[None]}
    if lesson == "one neuron":
        return _dense(numbers(1, 10), {"neuron": keras.layers.Dense(1, "sigmoid")}, rng)
    if lesson.startswith("a minibatch"):
        layers = {"hidden": keras.layers.Dense(3, "sigmoid"), "output": keras.layers.Dense(5, "sigmoid")}
        return _dense(numbers(4, 10), layers, rng)
    if lesson.startswith("a model of its own class"):
        return _subclassed(numbers(8, 16), rng)
    shape = {"rank 1": (10,), "rank 2": (4, 10), "rank 3": (2, 4, 10)}[lesson]
    layers = {"first": keras.layers.Dense(7, "tanh"), "second": keras.layers.Dense(3, "relu")}
    x = numbers(*shape)
    if len(shape) > 1:
        return _dense(x, layers, rng)
    given = _dense(x[None], layers, rng)  # Keras asks for a batch: one of a single example
    return {**given, "x": x, **{name: given[name][0] for name in layers}}


def _dense(x: Any, layers: Mapping[str, Any], rng: np.random.Generator) -> Arrays:
    recorded: Arrays = {"x": x}
    z = x
    for name, layer in layers.items():
        layer.build(z.shape)
        _randomise(layer, rng)
        z = layer(z)
        recorded |= _weights(name, layer) | {name: np.asarray(z)}
    return recorded


def _subclassed(x: Any, rng: np.random.Generator) -> Arrays:
    model = subclassed()
    model(x)
    for layer in model.layers:
        _randomise(layer, rng)
    first = model.first(x)
    return {
        "x": x,
        **_weights("first", model.first),
        **_weights("second", model.second),
        "first": np.asarray(first),
        "second": np.asarray(model(x)),
    }


def subclassed() -> Any:
    """A model of a class of its own, of 10 and 20 sigmoids, not built."""
    import keras

    class TwoLayers(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="two_layers")
            self.first = keras.layers.Dense(10, "sigmoid", name="first")
            self.second = keras.layers.Dense(20, "sigmoid", name="second")

        def call(self, x: Any) -> Any:
            return self.second(self.first(x))

    return TwoLayers()


def _randomise(layer: Any, rng: np.random.Generator) -> None:
    """Give a layer weights that no version of Keras draws otherwise."""
    inputs, units = layer.kernel.shape
    layer.set_weights([rng.normal(0, 2 / np.sqrt(inputs), (inputs, units)), rng.normal(size=units)])


def _weights(name: str, layer: Any) -> Arrays:
    kernel, bias = layer.get_weights()
    return {f"{name}.kernel": kernel, f"{name}.bias": bias}


def recorded(lesson: str) -> Arrays:
    """What was recorded of a lesson."""
    with np.load(RECORDED, allow_pickle=False) as arrays:
        return {key.partition("/")[2]: arrays[key] for key in arrays.files if key.startswith(f"{lesson}/")}


if __name__ == "__main__":
    computed = {f"{lesson}/{key}": array for lesson in LESSONS for key, array in taught(lesson).items()}
    np.savez_compressed(RECORDED, **computed)
