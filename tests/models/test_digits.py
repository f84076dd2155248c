"""The example model: what is committed is what its script makes, and it is as good as it says."""

import importlib.util
from types import ModuleType

import numpy as np
import pytest

from numbatch.engine import load_model, read_model
from support.project import ROOT

DIGITS = ROOT / "models" / "digits"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_digits", ROOT / "models" / "train_digits.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def held_out() -> dict[str, np.ndarray]:
    with np.load(DIGITS / "heldout.npz") as arrays:
        return dict(arrays)


def test_it_is_as_accurate_as_its_metadata_say(held_out: dict[str, np.ndarray]) -> None:
    model = load_model(DIGITS / "1")
    accuracy = np.mean(model.infer(held_out["pixels"]).argmax(axis=-1) == held_out["labels"])
    assert accuracy >= 0.96
    assert f"{accuracy:.4f}" == read_model(DIGITS / "1").metadata["heldout_accuracy"]


def test_the_held_out_images_are_those_of_the_script(script: ModuleType, held_out: dict[str, np.ndarray]) -> None:
    training, expected = script.split_digits()
    assert len(training.labels) == 1437
    np.testing.assert_array_equal(held_out["pixels"], expected.pixels, strict=True)
    np.testing.assert_array_equal(held_out["labels"], expected.labels, strict=True)


def test_every_digit_is_held_out_in_its_share(script: ModuleType) -> None:
    training, held_out = script.split_digits()
    shares = [np.bincount(part.labels) / len(part.labels) for part in (training, held_out)]
    np.testing.assert_allclose(shares[0], shares[1], atol=0.003)


def test_training_again_gives_the_same_bytes(script: ModuleType) -> None:
    training, held_out = script.split_digits()
    first, second = (
        script.to_model(script.train(training, epochs=2), held_out).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second


def test_the_model_takes_images_as_they_are(script: ModuleType) -> None:
    training, held_out = script.split_digits()
    classifier = script.train(training, epochs=2)
    expected = classifier.predict_proba(held_out.pixels / 16)
    np.testing.assert_allclose(
        load_model(script.to_model(classifier, held_out)).infer(held_out.pixels), expected, atol=1e-5
    )


def test_the_committed_model_has_the_shape_that_the_script_gives(script: ModuleType) -> None:
    training, held_out = script.split_digits()
    made = script.to_model(script.train(training, epochs=1), held_out)
    committed = read_model(DIGITS / "1")
    assert (made.name, made.inputs, made.description) == (committed.name, committed.inputs, committed.description)
    assert [layer.name for layer in made.layers] == [layer.name for layer in committed.layers]
    assert [layer.dense.units for layer in made.layers] == [layer.dense.units for layer in committed.layers]
    assert set(made.metadata) == set(committed.metadata)
