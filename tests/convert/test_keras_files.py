"""Files of Keras are read without Keras, and compute what Keras recorded."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch.convert.keras import from_keras
from numbatch.engine import load_model
from numbatch.v1.model_pb2 import Model
from support.agreement import ulps
from support.project import ROOT

FIXTURES = ROOT / "tests" / "convert" / "fixtures"
# The sums of both are of float32, in different orders; 3 is what comes of them here.
MOST_ULPS = 8.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras")
    for version in (2, 3):
        with zipfile.ZipFile(FIXTURES / f"keras{version}.zip") as archive:
            archive.extractall(folder / str(version))
    return folder


def recorded(folder: Path, version: int, name: str) -> tuple[dict[str, Any], list[Any]]:
    """What a model was given, by its inputs' names, and what Keras made of it, in order."""
    with np.load(folder / str(version) / "recorded.npz", allow_pickle=False) as arrays:
        own = {key.partition("/")[2]: arrays[key] for key in arrays.files if key.startswith(f"{name}/")}
    outputs = [own.pop(str(i)) for i in range(sum(key.isdecimal() for key in own))]
    return own, outputs


def assert_agrees(model: Model, inputs: Mapping[str, Any], outputs: list[Any], most: float = MOST_ULPS) -> None:
    computed = load_model(model).infer(inputs, layers=list(model.outputs))
    assert {
        name: distance
        for (name, ours), theirs in zip(computed.items(), outputs, strict=True)
        if (distance := ulps(ours, theirs)) > most
    } == {}


def test_a_keras_file_computes_what_keras_does(folder: Path) -> None:
    converted = from_keras(folder / "3" / "chain.keras")
    assert converted.model.name == "chain"
    assert [layer.name for layer in converted.model.layers] == ["flat", "hidden", "norm", "classes"]
    assert converted.notes == ("left out, for they change nothing in inference: dropout",)
    assert_agrees(converted.model, *recorded(folder, 3, "chain"))


def test_every_kind_of_file_gives_the_same_model(folder: Path) -> None:
    chain = folder / "3" / "chain.keras"
    model = from_keras(chain, name="m").model
    assert from_keras(chain.with_suffix(".h5"), name="m").model == model
    architecture, weights = chain.with_suffix(".json"), chain.with_suffix(".weights.h5")
    model.metadata["converted_from"] = "Keras"  # an architecture does not say which version wrote it
    assert from_keras(architecture, weights=weights, name="m").model == model


def test_an_unpacked_file_is_read_too(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(folder / "3" / "chain.keras") as archive:
        archive.extractall(tmp_path)
    assert from_keras(tmp_path).model == from_keras(folder / "3" / "chain.keras").model


def test_branches_nested_models_and_functions_become_one_graph(folder: Path) -> None:
    model = from_keras(folder / "3" / "branches.keras").model
    assert [(spec.name, list(spec.shape)) for spec in model.inputs] == [("left", [4]), ("right", [4]), ("ids", [3])]
    assert list(model.outputs) == ["score", "tanh"]
    assert_agrees(model, *recorded(folder, 3, "branches"))


def test_nested_models_keep_their_names_and_a_shared_one_comes_twice(folder: Path) -> None:
    converted = from_keras(folder / "3" / "branches.keras")
    layers = [layer.name for layer in converted.model.layers]
    assert [name for name in layers if name.startswith("tower")] == [
        "tower/deep/dense",
        "tower/add",
        "tower/norm",
        "tower:2/deep/dense",
        "tower:2/add",
        "tower:2/norm",
        "tower:3/deep/dense",
        "tower:3/add",
        "tower:3/norm",
    ]
    assert "layers that are used again have their weights again: tower:2, tower:3" in converted.notes


def test_an_embedding_and_its_pooling_are_one_layer(folder: Path) -> None:
    model = from_keras(folder / "3" / "branches.keras").model
    (mean,) = (layer.embedding for layer in model.layers if layer.name == "mean")
    assert (mean.vocabulary_size, mean.units, mean.pooling, mean.padding_id) == (9, 4, 2, 0)
    (total,) = (layer.embedding for layer in model.layers if layer.name == "sum")
    assert (total.pooling, total.HasField("padding_id")) == (1, False)


def test_of_nothing_but_padding_the_mean_is_0(folder: Path) -> None:
    converted = from_keras(folder / "3" / "branches.keras")
    x: dict[str, Any] = {"left": np.ones((1, 4)), "right": np.ones((1, 4)), "ids": np.zeros((1, 3), np.int32)}
    mean = load_model(converted.model).infer(x, layers=["mean"])["mean"]
    np.testing.assert_array_equal(mean, np.zeros((1, 4), np.float32))
    assert "mean: of row numbers that are all 0 the mean is 0; Keras gives NaN" in converted.notes


def test_every_activation_computes_what_keras_does(folder: Path) -> None:
    model = from_keras(folder / "3" / "activations.keras").model
    assert_agrees(model, *recorded(folder, 3, "activations"))


def test_narrow_weights_are_widened_and_a_note_says_so(folder: Path) -> None:
    converted = from_keras(folder / "3" / "bfloat16.keras")
    assert converted.notes == ("computed in float32, where Keras has the policy bfloat16",)
    inputs, (output,) = recorded(folder, 3, "half")
    computed = load_model(converted.model).infer(inputs)
    np.testing.assert_allclose(computed, output, rtol=2**-6, atol=2**-6)  # Keras rounded to 8 bits, twice


@pytest.mark.parametrize("file", ["keras2.h5", "keras2.keras"])
def test_files_of_keras_2_compute_what_keras_2_did(folder: Path, file: str) -> None:
    converted = from_keras(folder / "2" / file)
    assert converted.reference is None  # Keras 3 would compute another hard_sigmoid
    assert_agrees(converted.model, *recorded(folder, 2, "old"))


def test_weights_of_keras_2_go_with_their_architecture(folder: Path) -> None:
    model = from_keras(folder / "2" / "keras2.json", weights=folder / "2" / "keras2_weights.h5").model
    assert model == from_keras(folder / "2" / "keras2.h5").model
