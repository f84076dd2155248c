"""Models built by hand, run by the engine: all their layers, beside NumPy in float64."""

from typing import Any

import numpy as np

from numbatch.engine import load_model
from numbatch.models import (
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    LayerNormalization,
    LeakyReLU,
    Model,
    Normalization,
    Reshape,
    Softmax,
)
from support import numpy_model


class Block(Model):
    def __init__(self, units: int) -> None:
        super().__init__()
        self.norm, self.hidden = LayerNormalization(), Dense(units, "gelu")

    def call(self, x: Any) -> Any:
        return x + Dropout(0.1)(self.hidden(self.norm(x)))


def test_the_engine_computes_every_layer_of_a_graph() -> None:
    rng = np.random.default_rng(1)
    numbers, words, image = Input((4,), name="numbers"), Input((6,), name="words", dtype="int32"), Input((2, 6))
    normal = Normalization(name="normal")
    normal.adapt(rng.normal(3, 2, (100, 4)))
    table = Embedding(50, 8, pooling="mean", mask_zero=True, name="table")(words)
    rows = Embedding(50, 4, name="rows")(words)
    pixels = Dense(4, "tanh")(Reshape((3, 4), name="pixels")(image))
    wide = Concatenate(name="wide")([normal(numbers), table, Flatten()(rows), Flatten()(pixels)])
    weights = [rng.uniform(0.5, 2, 16) for _ in range(4)]
    hidden = BatchNormalization(weights=weights, name="bn")(Dense(16, LeakyReLU())(wide))
    hidden = Block(16)(Block(16)(hidden))
    gated = Dense(16, "sigmoid", name="gate")(wide) * hidden / 2 - 0.25
    outputs = {"score": Dense(1)(gated), "class": Softmax()(Dense(3)(1 - gated))}
    message = Model({"numbers": numbers, "words": words, "image": image}, outputs, name="all", seed=1).to_message()

    inputs: dict[str, Any] = {
        "numbers": rng.normal(3, 2, (7, 4)).astype(np.float32),
        "words": rng.integers(0, 50, (7, 6)),
        "image": rng.standard_normal((7, 2, 6)).astype(np.float32),
    }
    model = load_model(message)
    assert model.summary.outputs == ("score", "class")
    expected = numpy_model.run(message, inputs)
    got = model.infer(inputs, layers=list(expected))
    for name, array in expected.items():
        # Dozens of float32 operations one after the other, on numbers around 1, each off by up to 6e-8.
        np.testing.assert_allclose(got[name], array, rtol=1e-5, atol=1e-5, err_msg=name)
