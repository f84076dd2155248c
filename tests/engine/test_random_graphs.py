"""Graphs drawn at random, with any wiring: whatever is asked of them has the bits of the oracle."""

from typing import Any

import numpy as np
import pytest

from numbatch.engine import load_model, set_compute_threads
from numbatch.v1.model_pb2 import Model
from numbatch.wire.graph import GraphWriter, Symbol
from support.graphs import by_oracle, examples
from support.layers import bits

pytestmark = pytest.mark.usefixtures("number_of_threads_kept")

ACTIVATIONS = ["relu", "tanh", "linear", "softmax", "gelu_tanh", "log_softmax"]


class Drawing:
    """A graph that is being drawn."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.graph = GraphWriter(f"drawn-{seed}")
        shapes = [(16,), (5,), (3, 16), (2, 8)]
        self.symbols = [
            self.graph.input(f"in{i}", shapes[self.rng.integers(len(shapes))]) for i in range(self.rng.integers(1, 4))
        ]
        if self.rng.random() < 0.5:
            ids = self.graph.input("ids", [4], integer=True)
            pooling = ["", "sum", "mean"][self.rng.integers(3)]
            start, stop = [(0, 0), (1, 3), (3, 4)][self.rng.integers(3)]
            table = self.numbers(9, 16)
            self.symbols.append(self.graph.embedding(ids, table, pooling=pooling, start=start, stop=stop))

    def numbers(self, *shape: int) -> Any:
        return self.rng.standard_normal(shape).astype(np.float32)

    def pick(self, *, like: Symbol | None = None) -> Symbol:
        fitting = [each for each in self.symbols if like is None or each.shape == like.shape]
        return fitting[self.rng.integers(len(fitting))]

    def step(self) -> None:
        x = self.pick()
        width, elements = x.shape[-1], int(np.prod(x.shape))
        draw = self.rng.integers(9)
        if draw < 2:
            units = [1, 16, 33, 64][self.rng.integers(4)]
            activation = ["linear", "linear", "relu", "softmax"][self.rng.integers(4)]
            y = self.graph.dense(x, self.numbers(width, units) / np.float32(width), self.numbers(units), activation)
        elif draw == 2:
            y = self.graph.activation(x, ACTIVATIONS[self.rng.integers(len(ACTIVATIONS))])
        elif draw == 3:
            statistics = self.numbers(width), abs(self.numbers(width)) + np.float32(0.1)
            y = self.graph.batch_normalization(x, *statistics, self.numbers(width))
        elif draw == 4:
            y = self.graph.layer_normalization(x, None, self.numbers(width))
        elif draw == 5:
            combine = self.graph.add if self.rng.random() < 0.5 else self.graph.multiply
            y = combine([x, *(self.pick(like=x) for _ in range(self.rng.integers(1, 3)))])
        elif draw == 6:
            y = self.graph.flatten(x) if self.rng.random() < 0.5 else self.graph.reshape(x, [elements, 1])
        elif draw == 7:
            start = int(self.rng.integers(width))
            y = self.graph.slice(x, start, int(self.rng.integers(start, width)) + 1)
        else:
            y = self.graph.concatenate([x, self.pick(like=x), x])
        self.symbols.append(y)

    def model(self) -> Model:
        for _ in range(self.rng.integers(3, 14)):
            self.step()
        return self.graph.model([self.symbols[-1]])


@pytest.mark.parametrize("seed", range(60))
def test_whatever_is_asked_of_a_graph_has_the_bits_of_the_oracle(seed: int) -> None:
    model = Drawing(seed).model()
    loaded = load_model(model)
    layers = [layer.name for layer in model.layers]
    rng = np.random.default_rng(seed)
    set_compute_threads(1 + seed % 2)
    for rows in (1, 3, 60):
        batch = examples(model, rows)
        expected = by_oracle(model, batch)
        for asked in (layers, [layers[-1]], *(rng.choice(layers, rng.integers(1, 4)).tolist() for _ in range(6))):
            for name, z in loaded.infer(batch, layers=list(dict.fromkeys(asked))).items():
                np.testing.assert_array_equal(bits(z), bits(expected[name]), err_msg=f"{name} of {asked}, {rows} rows")
