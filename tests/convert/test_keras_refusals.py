"""What cannot be served is refused by its name, with what could be done; nothing that a file brings is run."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from numbatch.convert.keras import from_keras
from numbatch.wire.errors import (
    CorruptModelError,
    InvalidArgumentError,
    InvalidModelError,
    NumbatchError,
    UnsupportedError,
)
from numbatch.wire.reasons import Reason
from support.project import ROOT

FIXTURES = ROOT / "tests" / "convert" / "fixtures"


def fixture(name: str, folder: Path) -> Path:
    with zipfile.ZipFile(FIXTURES / "keras3.zip") as archive:
        return Path(archive.extract(name, folder))


def chain_of(*layers: dict[str, Any], shape: list[Any] | None = None, version: str = "3.15.1") -> Any:
    """A function that writes a .keras file of a Sequential of these layers, whose weights are all missing."""
    first = {"class_name": "InputLayer", "config": {"name": "x", "batch_shape": shape or [None, 4]}}
    return description_of(
        {"class_name": "Sequential", "module": "keras", "config": {"name": "chain", "layers": [first, *layers]}},
        version,
    )


def description_of(description: Any, version: str = "3.15.1") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        weights = io.BytesIO()
        h5py.File(weights, "w").close()
        path = folder / "written.keras"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(description))
            archive.writestr("metadata.json", json.dumps({"keras_version": version}))
            archive.writestr("model.weights.h5", weights.getvalue())
        return path

    return write


def layer(kind: str, name: str = "it", module: str = "keras.layers", **config: Any) -> dict[str, Any]:
    return {"class_name": kind, "module": module, "config": {"name": name, "trainable": True, **config}}


REFUSED = [
    (layer("Lambda"), Reason.LAYER_UNSUPPORTED, "it: a layer that is not served: got Lambda; its code is not run"),
    (layer("StringLookup"), Reason.LAYER_UNSUPPORTED, "do it where requests are made"),
    (layer("IntegerLookup"), Reason.LAYER_UNSUPPORTED, "do it where requests are made"),
    (layer("Discretization"), Reason.LAYER_UNSUPPORTED, "do it where requests are made"),
    (layer("Conv1D"), Reason.LAYER_UNSUPPORTED, "got Conv1D; only fully connected networks are served"),
    (layer("LSTM"), Reason.LAYER_UNSUPPORTED, "got LSTM; only fully connected networks are served"),
    (layer("PReLU"), Reason.LAYER_UNSUPPORTED, "use LeakyReLU"),
    (layer("Gate", module="shop.layers"), Reason.LAYER_UNSUPPORTED, "got shop.layers>Gate; load the model in Python"),
    (layer("Activation", activation="sparsemax"), Reason.ACTIVATION_UNSUPPORTED, "sparsemax.*expected .*softmax"),
    (
        layer("Activation", activation={"class_name": "function", "config": "relu", "module": "builtins"}),
        Reason.ACTIVATION_UNSUPPORTED,
        'of your own, or of TensorFlow: if it is that of Keras, write activation="relu"',
    ),
    (layer("ReLU", threshold=1.0), Reason.ACTIVATION_UNSUPPORTED, "a ReLU with a threshold"),
    (layer("Softmax", axis=0), Reason.FEATURE_UNSUPPORTED, "over axis 0: got Softmax, expected axis=-1"),
    (
        layer("LayerNormalization", scale=False, center=False, rms_scaling=True),
        Reason.FEATURE_UNSUPPORTED,
        "with rms_scaling",
    ),
    (layer("GlobalAveragePooling1D"), Reason.LAYER_UNSUPPORTED, "directly after an Embedding"),
    (
        layer("Dense", units=2, dtype={"class_name": "QuantizedDTypePolicy", "config": {"name": "int8_from_float32"}}),
        Reason.FEATURE_UNSUPPORTED,
        r"quantised weights \(int8_from_float32\).*convert the model as it was before",
    ),
]


@pytest.mark.parametrize(
    ("refused", "reason", "message"), REFUSED, ids=[f"{each[0]['class_name']}-{i}" for i, each in enumerate(REFUSED)]
)
def test_a_layer_that_cannot_be_served_is_named(
    refused: dict[str, Any], reason: Reason, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedError, match=message) as error:
        from_keras(chain_of(refused)(tmp_path))
    assert (error.value.reason, error.value.field) == (reason, "it")


def test_the_code_of_a_lambda_is_not_run(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="shift: a layer that is not served: got Lambda"):
        from_keras(fixture("lambda.keras", tmp_path))


def test_a_quantised_file_is_refused_by_its_layer(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="dense: quantised weights"):
        from_keras(fixture("quantised.keras", tmp_path))


def test_a_model_of_a_class_of_its_own_has_no_graph_in_its_file(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="whose call.. its file does not hold.*pass the model itself"):
        from_keras(fixture("own.keras", tmp_path))


@pytest.mark.parametrize("shape", [[None, None], [None]])
def test_an_input_without_a_length_is_refused(shape: list[Any], tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"x: an input of no axes .*shape=\(10,\)"):
        from_keras(chain_of(layer("Flatten"), shape=shape)(tmp_path))


def test_a_layer_of_ones_own_that_has_layers_is_no_chain_of_them(tmp_path: Path) -> None:
    own = {**layer("Stack", module="shop.layers", layers=[layer("Flatten")]), "registered_name": "shop>Stack"}
    with pytest.raises(UnsupportedError, match="it: a layer of your own: got shop>Stack"):
        from_keras(chain_of(own)(tmp_path))


def test_missing_weights_are_told_with_what_they_should_be(tmp_path: Path) -> None:
    with pytest.raises(InvalidModelError, match="it: .*got 0 arrays, expected kernel, bias"):
        from_keras(chain_of(layer("Dense", units=2))(tmp_path))


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    architecture, weights = fixture("chain.json", tmp_path), tmp_path / "other.weights.h5"
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.ones((6, 5), np.float32)
    with pytest.raises(InvalidModelError, match="hidden: .*got 1 arrays, expected kernel, bias"):
        from_keras(architecture, weights=weights)


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="weights alone.*as weights="):
        from_keras(fixture("chain.weights.h5", tmp_path))


def test_an_architecture_alone_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match=r"weights: .*expected a \.weights\.h5"):
        from_keras(fixture("chain.json", tmp_path))


def test_a_file_with_weights_of_its_own_takes_no_others(tmp_path: Path) -> None:
    chain = fixture("chain.keras", tmp_path)
    with pytest.raises(InvalidArgumentError, match=r"weights: got with chain\.keras"):
        from_keras(chain, weights=chain)


def test_a_program_without_layers_says_how_to_save_the_model(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UnsupportedError, match=r'no layers.*model\.save\("model\.keras"\)'):
        from_keras(tmp_path)


def test_a_link_to_another_file_is_not_followed(tmp_path: Path) -> None:
    architecture, weights = fixture("chain.json", tmp_path), tmp_path / "linked.weights.h5"
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["kernel"] = np.ones((6, 5), np.float32)
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/1"] = np.ones(5, np.float32)
        file["layers/dense/vars/0"] = h5py.ExternalLink("secret.h5", "kernel")
    with pytest.raises(CorruptModelError, match="a link in place of data"):
        from_keras(architecture, weights=weights)


def test_data_in_another_file_is_not_read(tmp_path: Path) -> None:
    architecture, weights = fixture("chain.json", tmp_path), tmp_path / "external.weights.h5"
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(120))
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/1"] = np.ones(5, np.float32)
        file.create_dataset("layers/dense/vars/0", (6, 5), "f4", external=[(str(secret), 0, 120)])
    with pytest.raises(CorruptModelError, match="an array in another file"):
        from_keras(architecture, weights=weights)


def test_an_array_that_is_not_all_there_reserves_no_memory(tmp_path: Path) -> None:
    architecture, weights = fixture("chain.json", tmp_path), tmp_path / "hollow.weights.h5"
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/1"] = np.ones(5, np.float32)
        file.create_dataset("layers/dense/vars/0", (2**20, 2**20), "f4", chunks=(64, 64))
    with pytest.raises(CorruptModelError, match="larger than what is stored"):
        from_keras(architecture, weights=weights)


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", b" " * 2**27)
    with pytest.raises(CorruptModelError, match="config.json: it unpacks to far more"):
        from_keras(path)


@pytest.mark.parametrize("damage", range(60))
def test_a_damaged_file_is_an_error_of_ours(damage: int, tmp_path: Path) -> None:
    for name in ("chain.keras", "chain.h5", "chain.json"):
        path = fixture(name, tmp_path)
        data = bytearray(path.read_bytes())
        rng = np.random.default_rng(damage)
        for place in rng.integers(0, len(data), 8):
            data[place] ^= int(rng.integers(1, 256))
        path.write_bytes(data[: len(data) // 2] if damage % 4 == 0 else data)
        weights = fixture("chain.weights.h5", tmp_path) if name.endswith(".json") else None
        try:
            from_keras(path, weights=weights)
        except NumbatchError:
            continue


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"class_name": "Sequential"},
        {"class_name": "Sequential", "config": {"layers": []}},
        {"class_name": "Sequential", "config": {"layers": [{}]}},
        {"class_name": "Functional", "config": {"layers": [], "input_layers": [], "output_layers": [["x", 0, 0]]}},
        {"class_name": "Functional", "config": {"layers": [{"class_name": "Dense", "config": 3}], "input_layers": 1}},
        [],
    ],
)
def test_a_description_of_nothing_is_an_error_of_ours(description: Any, tmp_path: Path) -> None:
    with pytest.raises(NumbatchError):
        from_keras(description_of(description)(tmp_path))


def test_layers_that_take_each_other_are_refused(tmp_path: Path) -> None:
    def taking(name: str, other: str) -> dict[str, Any]:
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": [other, 0, 0]}}
        return {**layer("Flatten", name), "name": name, "inbound_nodes": [{"args": [tensor], "kwargs": {}}]}

    config = {
        "name": "ring",
        "layers": [taking("a", "b"), taking("b", "a")],
        "input_layers": [],
        "output_layers": [["a", 0, 0]],
    }
    with pytest.raises(CorruptModelError, match="ring: layers that take each other.*a, b"):
        from_keras(description_of({"class_name": "Functional", "config": config})(tmp_path))


def test_models_nested_without_end_are_refused(tmp_path: Path) -> None:
    description: dict[str, Any] = layer("Flatten")
    for i in range(90):
        description = {"class_name": "Sequential", "config": {"name": f"m{i}", "layers": [description]}}
    with pytest.raises(CorruptModelError, match="nested too deep"):
        from_keras(description_of(description)(tmp_path))


def test_anything_else_is_no_model() -> None:
    with pytest.raises(
        InvalidArgumentError, match=r"source: got builtins\.int, expected a path, or a model of Keras 3"
    ):
        from_keras(3)
