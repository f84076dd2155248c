"""Models written to disk: as a version of a repository, that the engine loads."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from numbatch.engine import load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import InvalidArgumentError


def tiny(name: str = "") -> Sequential:
    return Sequential([Input((10,)), Dense(3, "sigmoid"), Dense(5, "sigmoid")], name=name, seed=1)


def test_a_model_is_saved_as_the_next_version_and_loaded(tmp_path: Path) -> None:
    first, second = (tiny().save(tmp_path / "tiny") for _ in range(2))
    assert (first, second) == (tmp_path / "tiny" / "1", tmp_path / "tiny" / "2")
    x = np.random.default_rng(1).standard_normal((4, 10)).astype(np.float32)
    expected = load_model(tiny().to_message("tiny")).infer(x)
    np.testing.assert_array_equal(load_model(second).infer(x), expected, strict=True)
    assert Model.FromString((first / "model.binpb").read_bytes()).name == "tiny"


def test_a_version_is_replaced_only_if_that_is_meant(tmp_path: Path) -> None:
    folder = tiny().save(tmp_path / "tiny", version=3)
    with pytest.raises(FileExistsError, match="3: is there already"):
        tiny().save(tmp_path / "tiny", version=3)
    tiny().save(tmp_path / "tiny", version=3, text=True, overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["model.txtpb"]


def test_a_model_with_a_name_goes_into_a_folder_of_that_name(tmp_path: Path) -> None:
    tiny("scores").save(tmp_path / "scores")
    with pytest.raises(InvalidArgumentError, match="folder: got 'other', expected 'scores'; save it to .*scores, or"):
        tiny("scores").save(tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_large_weights_go_into_a_file_that_safetensors_reads(tmp_path: Path) -> None:
    model = Sequential([Input((513,)), Dense(512), Dense(600), Dense(2)], seed=1)
    folder = model.save(tmp_path / "large")
    tensors = load_file(folder / "weights.safetensors")
    assert sorted(tensors) == ["dense.kernel", "dense_1.kernel"]
    for layer in model.layers[:2]:
        assert isinstance(layer, Dense)
        np.testing.assert_array_equal(tensors[f"{layer.name}.kernel"], layer.kernel, strict=True)
    x = np.ones((1, 513), np.float32)
    np.testing.assert_array_equal(load_model(folder).infer(x), load_model(model.to_message()).infer(x))
