"""`numbatch model export`: which writer is asked, and what becomes of the file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch import convert
from numbatch.v1.model_pb2 import Model
from numbatch.wire.models import array_of
from support.command import numbatch
from support.server import write_model
from support.towers import tower


class Written:
    """What a writer makes of a model: the names of its layers."""

    def __init__(self, model: Model) -> None:
        self.text = " ".join(layer.name for layer in model.layers)

    def SerializeToString(self) -> bytes:  # as messages have it
        return self.text.encode()


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Model]:
    """The models that writers were given; `tower` is in the current folder."""
    models: list[Model] = []

    def to_onnx(model: Model) -> Written:
        models.append(model)
        return Written(model)

    def to_keras(model: Model, path: Path) -> None:
        models.append(model)
        path.write_text(Written(model).text)

    monkeypatch.setitem(vars(convert), "to_onnx", to_onnx)
    monkeypatch.setitem(vars(convert), "to_keras", to_keras)
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path, tower())
    return models


@pytest.mark.parametrize("output", ["tower.onnx", "tower.keras"])
def test_the_name_of_the_file_says_what_to_write(given: list[Model], output: str) -> None:
    outcome = numbatch("model", "export", "tower", "--output", output)
    size = Path(output).stat().st_size
    assert (outcome.code, outcome.out) == (0, f"{output}: 10 layers, {size} bytes\n")
    assert Path(output).read_text().split()[0] == "users"
    assert sorted(path.name for path in Path().iterdir()) == ["tower", output]


def test_writers_get_all_weights(given: list[Model]) -> None:
    numbatch("model", "export", "tower/1", "--format", "onnx", "--output", "anything")
    ((model,), original) = given, tower()
    for layer in original.layers:
        for field in ("dense", "embedding"):
            if layer.WhichOneof("kind") == field:
                (other,) = (each for each in model.layers if each.name == layer.name)
                weights = "kernel" if field == "dense" else "table"
                one, two = (array_of(getattr(getattr(each, field), weights)) for each in (layer, other))
                np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("arguments", "code", "problem"),
    [
        (["tower", "--output", "tower.pb"], 2, "--output tower.pb: expected a name that ends in .onnx or .keras"),
        (["nowhere", "--output", "tower.onnx"], 3, "nowhere: No such file or directory"),
        (["tower", "--output", "nowhere/tower.onnx"], 3, "No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    given: list[Model], arguments: list[str], code: int, problem: str
) -> None:
    outcome = numbatch("model", "export", *arguments)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert problem in outcome.err
    assert [path.name for path in Path().iterdir()] == ["tower"]


def test_a_writer_that_fails_leaves_the_old_file(given: list[Model], monkeypatch: pytest.MonkeyPatch) -> None:
    def needs(_: Any) -> None:
        raise ModuleNotFoundError(name="onnx")

    Path("tower.onnx").write_text("old")
    monkeypatch.setitem(vars(convert), "to_onnx", needs)
    outcome = numbatch("model", "export", "tower", "--output", "tower.onnx")
    assert (outcome.code, Path("tower.onnx").read_text()) == (2, "old")
    assert outcome.err.endswith("this command needs onnx, which is not installed: pip install 'numbatch[convert]'\n")
