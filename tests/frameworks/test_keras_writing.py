"""What numbatch writes for Keras, Keras loads: the same weights at the same layers, and the same outputs."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras loads the files")

from numbatch.convert.keras import from_keras, to_keras  # noqa: E402
from numbatch.engine import load_model  # noqa: E402
from numbatch.v1.model_pb2 import Model  # noqa: E402
from support.agreement import ulps  # noqa: E402
from support.graphs import GRAPHS, examples  # noqa: E402
from support.keras_networks import random_network  # noqa: E402
from support.networks import ACTIVATIONS, drawn, network  # noqa: E402

MOST_ULPS = 16.0  # of float32 sums in other orders; 6 is the most seen


def assert_keras_computes_the_same(model: Model, path: Path) -> None:
    to_keras(model, path)
    loaded = keras.saving.load_model(path)
    batch = examples(model, 20)
    for spec in model.inputs:
        if spec.data_type not in (0, 1):
            batch[spec.name][..., 0] = 1  # of nothing but padding Keras' mean is NaN
    given = [batch[spec.name] for spec in model.inputs]
    computed = loaded(given if len(given) > 1 else given[0], training=False)
    computed = computed if isinstance(computed, list | tuple) else [computed]
    ours = load_model(model).infer(batch, layers=list(model.outputs))
    for (name, array), theirs in zip(ours.items(), computed, strict=True):
        assert ulps(array, keras.ops.convert_to_numpy(theirs)) <= MOST_ULPS, name


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_keras_computes_a_graph_that_was_written_for_it(make: Callable[[], Model], tmp_path: Path) -> None:
    assert_keras_computes_the_same(make(), tmp_path / "m.keras")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_keras_computes_every_activation(activation: str, tmp_path: Path) -> None:
    assert_keras_computes_the_same(network([6, 5, 4], ["linear", activation]), tmp_path / "m.keras")


@pytest.mark.parametrize("seed", range(40))
def test_a_network_of_keras_comes_back_to_keras_with_equal_weights(seed: int, tmp_path: Path) -> None:
    there = from_keras(random_network(seed)).model
    names = to_keras(there, tmp_path / "m.keras")
    here = from_keras(keras.saving.load_model(tmp_path / "m.keras")).model
    before = {names.get(layer.name, layer.name): layer for layer in there.layers}
    for layer in here.layers:
        twin = before[layer.name]
        assert [names.get(name, name) for name in twin.inputs] == list(layer.inputs)
        kind = layer.WhichOneof("kind")
        assert kind is not None
        assert getattr(layer, kind) == getattr(twin, kind)


def test_weights_read_back_by_hand_are_the_models(tmp_path: Path) -> None:
    kernel, bias = drawn("kernel", 4, 3), drawn("bias", 3)
    model = network([4, 3], ["relu"])
    model.layers[0].dense.kernel.data, model.layers[0].dense.bias.data = kernel.tobytes(), bias.tobytes()
    to_keras(model, tmp_path / "m.keras")
    weights = keras.saving.load_model(tmp_path / "m.keras").get_weights()
    np.testing.assert_array_equal(weights[0], kernel)
    np.testing.assert_array_equal(weights[1], bias)
