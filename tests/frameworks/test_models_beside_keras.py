"""Models built by hand beside the same models in Keras: the names, the order of the weights, the numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numbatch import models as ours
from numbatch.v1.model_pb2 import Model
from support import numpy_model

keras = pytest.importorskip("keras", reason="what it compares with is Keras")

# Float32 sums of some dozens of products against float64: each is off by a few units of 6e-8, of numbers around 1.
TOLERANCE = 5e-6


def chain(of: Any) -> Any:
    layers = [
        of.Dense(16, activation="relu"),
        of.BatchNormalization(),
        of.Dropout(0.5),
        of.Dense(8, "gelu", kernel_initializer="he_normal"),
        of.LayerNormalization(),
        of.Dense(4, "leaky_relu", use_bias=False),
        of.LeakyReLU(),
        of.ELU(0.5),
        of.Dense(3),
        of.Softmax(),
    ]
    return of.Sequential([of.Input((10,)), *layers])


def branches(of: Any) -> Any:
    # What is called last is not what is deepest, and inputs come in at several depths.
    x, y = of.Input((6,), name="x"), of.Input((4,), name="y")
    late = of.Dense(8, name="late")
    early = of.Dense(8, "tanh", name="early")(y)
    deep = of.Dense(8, "relu", name="deep_2")(of.Dense(5, "relu", name="deep_1")(x))
    joined = of.Concatenate()([late(x), deep, early])
    score = of.Dense(1, name="score")(joined)
    side = of.Dense(2, "softmax", name="side")(of.Multiply()([early, deep]))
    return of.Model([x, y], [side, score, of.Flatten()(joined)])


def shared(of: Any) -> Any:
    x, y = of.Input((4,), name="x"), of.Input((4,), name="y")
    tower = of.Dense(3, "relu", name="tower")
    squeeze = of.Dense(4, "tanh", name="squeeze")
    far = tower(squeeze(squeeze(x)))
    return of.Model([x, y], of.Dense(2, name="end")(of.Add()([far, tower(y)])))


def nested(of: Any) -> Any:
    x, y = of.Input((4,), name="x"), of.Input((6,), name="y")
    left = of.Sequential([of.Input((4,)), of.Dense(3, "relu"), of.Dense(3)])
    right = of.Sequential([of.Input((6,)), of.Dense(3)])
    return of.Model([x, y], of.Dense(1)(of.Concatenate()([right(y), left(x)])))


def written_as_a_class(of: Any) -> Any:
    class Net(of.Model):
        def __init__(self) -> None:
            super().__init__()
            self.last = of.Dense(2)
            self.blocks = [of.Dense(6, "relu"), of.Dense(5, "relu")]
            self.norm = of.BatchNormalization()

        def call(self, inputs: Any) -> Any:
            for block in self.blocks:
                inputs = block(inputs)
            return self.last(self.norm(inputs))

    model = Net()
    model(of.Input((7,)))
    return model


class Keras:
    """Layers and models under one roof, as ours are."""

    def __getattr__(self, name: str) -> Any:
        return getattr(keras.layers, name, None) or getattr(keras, name)


def inputs_of(message: Model, rows: int = 9) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {spec.name: rng.standard_normal((rows, *spec.shape)).astype(np.float32) for spec in message.inputs}


@pytest.mark.parametrize("build", [chain, branches, shared, nested, written_as_a_class])
def test_weights_go_over_in_one_list_and_the_numbers_agree(build: Callable[[Any], Any]) -> None:
    keras.utils.set_random_seed(1)
    theirs, mine = build(Keras()), build(ours)
    weights = theirs.get_weights()
    rng = np.random.default_rng(2)
    weights = [np.abs(each + rng.uniform(0, 0.2, each.shape)).astype(np.float32) - 0.05 for each in weights]
    theirs.set_weights(weights)
    mine.set_weights(weights)
    for got, expected in zip(mine.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, expected, strict=True)
    assert mine.count_params() == theirs.count_params()

    message = mine.to_message()
    x = inputs_of(message)
    expected = theirs(list(x.values()) if len(x) > 1 else next(iter(x.values())))
    outputs = expected if isinstance(expected, list) else [expected]
    got = numpy_model.run(message, x)
    names = message.outputs or [message.layers[-1].name]
    for name, output in zip(names, outputs, strict=True):
        np.testing.assert_allclose(got[name], np.asarray(output), rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("build", [chain, branches, shared])
def test_layers_have_the_names_and_the_order_of_keras(build: Callable[[Any], Any]) -> None:
    keras.backend.clear_session()  # its names are numbered from the start again
    theirs, mine = build(Keras()), build(ours)
    expected = [layer.name for layer in theirs.layers if not isinstance(layer, keras.layers.InputLayer)]
    assert [layer.name for layer in mine.layers] == expected


def test_normalization_adapts_as_in_keras() -> None:
    data = np.random.default_rng(1).normal([5, -3, 0, 7], [2, 0.1, 100, 0], (500, 3, 4)).astype(np.float32)
    theirs, mine = keras.layers.Normalization(), ours.Normalization()
    theirs.adapt(data)
    mine.adapt(data)
    model = ours.Sequential([ours.Input((3, 4), name="x"), mine])
    got = numpy_model.run(model.to_message(), {"x": data[:5]})["normalization"]
    # Keras' mean of the third feature is off by 1e-6 of its deviation.
    np.testing.assert_allclose(got[..., :3], np.asarray(theirs(data[:5]))[..., :3], rtol=2e-5, atol=2e-5)
    np.testing.assert_array_equal(got[..., 3], 0)


@pytest.mark.parametrize(
    "name",
    ["GlorotUniform", "GlorotNormal", "HeUniform", "HeNormal", "LecunUniform", "LecunNormal",
     "RandomUniform", "RandomNormal", "TruncatedNormal"],
)  # fmt: skip
def test_initialisers_draw_from_the_distributions_of_keras(name: str) -> None:
    shape = (300, 500)
    theirs = np.asarray(getattr(keras.initializers, name)(seed=1)(shape))
    mine = getattr(ours.initializers, name)(seed=1)(shape)
    quantiles = np.linspace(0.001, 0.999, 41)
    # 150 000 values each: the most that two empirical distributions of as many differ by, in one of a thousand cases.
    most = 1.95 * np.sqrt(2 / theirs.size)
    at = np.quantile(theirs, quantiles)
    assert np.abs(np.searchsorted(np.sort(mine, axis=None), at) / mine.size - quantiles).max() < most
    if name != "RandomNormal":
        assert np.abs(mine).max() == pytest.approx(np.abs(theirs).max(), rel=1e-3)
