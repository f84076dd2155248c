"""Files that Keras writes here and now, of random networks in several nestings, give what Keras has in memory."""

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras = pytest.importorskip("keras", reason="Keras writes the files")

from numbatch.convert.keras import from_keras  # noqa: E402
from numbatch.engine import load_model  # noqa: E402
from numbatch.v1.model_pb2 import Layer, Model  # noqa: E402
from support.agreement import ulps  # noqa: E402
from support.keras_networks import random_network  # noqa: E402

# 11 was the most of 700 networks: sums of float32 in other orders, up to a dozen layers after each other.
MOST_ULPS = 32.0

# Of Keras' own save().
pytestmark = pytest.mark.filterwarnings(
    "ignore:You are saving your model as an HDF5 file:UserWarning",
    "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning",
)


def layers_of(model: Model) -> dict[str, Layer]:
    """Files list layers by how far they are from the outputs, and a live model's come as they are called."""
    return {layer.name: layer for layer in model.layers}


@pytest.mark.parametrize("seed", range(60))
def test_every_kind_of_file_gives_the_live_models_layers(seed: int, tmp_path: Path) -> None:
    network = random_network(seed)
    live = from_keras(network).model
    network.save(tmp_path / "m.keras")
    network.save(tmp_path / "m.h5")
    network.save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.json").write_text(network.to_json(), encoding="utf-8")
    for read in (
        from_keras(tmp_path / "m.keras"),
        from_keras(tmp_path / "m.h5"),
        from_keras(tmp_path / "m.json", weights=tmp_path / "m.weights.h5"),
    ):
        assert layers_of(read.model) == layers_of(live)
        assert (list(read.model.inputs), list(read.model.outputs)) == (list(live.inputs), list(live.outputs))


@pytest.mark.parametrize("seed", range(60))
def test_random_networks_compute_what_keras_does(seed: int) -> None:
    converted = from_keras(random_network(seed))
    rng = np.random.default_rng(seed)
    given = {spec.name: rng.normal(size=(16, *spec.shape)).astype(np.float32) for spec in converted.model.inputs}
    computed = load_model(converted.model).infer(given, layers=list(converted.model.outputs))
    assert converted.reference is not None
    expected = converted.reference(given)
    assert {name: ulps(computed[name], expected[name]) <= MOST_ULPS for name in computed} == dict.fromkeys(
        computed, True
    )


def test_the_reference_of_a_file_is_what_keras_makes_of_it(tmp_path: Path) -> None:
    network = random_network(7)
    network.save(tmp_path / "m.keras")
    file, live = from_keras(tmp_path / "m.keras"), from_keras(network)
    given = {spec.name: np.ones((2, *spec.shape), np.float32) for spec in live.model.inputs}
    assert file.reference is not None
    assert live.reference is not None
    for name, array in file.reference(given).items():
        np.testing.assert_array_equal(array, live.reference(given)[name])


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")
def test_a_layer_shared_across_nested_models_is_read_from_the_live_model_alone(tmp_path: Path) -> None:
    # Keras saves its weights at one of its two places, and cannot load such a file itself.
    shared, x, y = keras.layers.Dense(4, name="shared"), keras.Input((4,)), keras.Input((4,))
    network = keras.Model(x, keras.layers.Add(name="add")([keras.Model(y, shared(y), name="inner")(x), shared(x)]))
    network.save(tmp_path / "m.keras")
    with pytest.raises(Exception, match="shared: .* is saved once only: pass the live model"):
        from_keras(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="expected 2 variables, but received 0"):
        keras.saving.load_model(tmp_path / "m.keras")
    assert [layer.name for layer in from_keras(network).model.layers] == ["inner/shared", "shared", "add"]
