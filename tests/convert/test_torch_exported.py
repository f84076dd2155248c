"""Files of torch.export, read without PyTorch."""

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch.convert.torch import from_torch
from numbatch.engine import load_model
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from numbatch.wire.errors import CorruptModelError, NumbatchError, UnsupportedError
from support import numpy_model
from support.torch_agreement import ULP, distance

FIXTURES = Path(__file__).parent / "fixtures"
RECOMMENDER, TABULAR = FIXTURES / "torch_recommender.pt2", FIXTURES / "torch_tabular.pt2"


def recorded(name: str) -> tuple[dict[str, Any], list[Any]]:
    """Inputs and what PyTorch computed of them."""
    arrays = np.load(FIXTURES / "torch_outputs.npz")
    of = {key.partition("/")[2]: arrays[key] for key in arrays if key.startswith(f"{name}/")}
    inputs = {key: array for key, array in of.items() if not key.startswith("=")}
    return inputs, [array for key, array in of.items() if key.startswith("=")]


def test_an_exported_network_computes_what_pytorch_recorded() -> None:
    converted = from_torch(RECOMMENDER)
    inputs, (expected,) = recorded("recommender")
    inputs["user"] = inputs["user"][:, None]  # an array of one number for each row
    (name,) = converted.model.outputs
    assert distance(numpy_model.run(converted.model, inputs), {name: expected[:, None]}) <= ULP


def test_its_layers_are_named_like_its_modules() -> None:
    model = from_torch(RECOMMENDER).model
    assert model.name == "torch_recommender"
    assert [(layer.name, layer.WhichOneof("kind"), list(layer.inputs)) for layer in model.layers] == [
        ("user_1", "embedding", ["user"]),  # an input has the module's name
        ("history_1", "embedding", ["history"]),
        ("sum", "embedding", ["tags"]),
        ("bottom.0", "dense", ["features"]),
        ("bottom.1", "activation", ["bottom.0"]),
        ("bottom.2.fc", "dense", ["bottom.1"]),
        ("bottom.2.act", "activation", ["bottom.2.fc"]),
        ("bottom.2", "add", ["bottom.1", "bottom.2.act"]),
        ("cat", "concatenate", ["user_1", "history_1", "sum", "bottom.2"]),
        ("top", "dense", ["cat"]),
        ("sigmoid", "activation", ["top"]),
    ]


def test_inputs_that_are_looked_up_are_row_numbers() -> None:
    model = from_torch(RECOMMENDER).model
    assert [(spec.name, list(spec.shape), spec.data_type == DATA_TYPE_INT32) for spec in model.inputs] == [
        ("user", [1], True),
        ("history", [5], True),
        ("tags", [3], True),
        ("features", [5], False),
    ]


def test_its_notes_say_what_was_decided() -> None:
    assert from_torch(RECOMMENDER).notes == (
        "Input user has one number for each row: requests bring it as [rows, 1].",
        "tags looks up and sum pools: they are one layer, sum.",
        "Output sigmoid has one number for each row: it is returned as [rows, 1].",
        "Left out, as they do nothing in inference: bottom.2.drop.",
    )


def test_a_network_that_was_exported_for_some_rows_takes_any_number() -> None:
    converted = from_torch(FIXTURES / "torch_fixed.pt2", name="fixed")
    inputs, (expected,) = recorded("fixed")
    (name,) = converted.model.outputs
    outputs = numpy_model.run(converted.model, {"x": np.tile(inputs["x"], (3, 1))})
    assert distance(outputs, {name: np.tile(expected, (3, 1))}) <= ULP
    assert converted.notes == ("It was exported for 2 rows at a time; the first axis was taken as the batch.",)
    assert list(converted.model.inputs[0].shape) == [4]


def test_each_table_looks_up_its_column_of_the_categories() -> None:
    converted = from_torch(TABULAR)
    inputs, (expected,) = recorded("tabular")
    (name,) = converted.model.outputs
    assert distance(numpy_model.run(converted.model, inputs), {name: expected}) <= ULP
    assert distance(dict(load_model(converted.model).run(inputs)), {name: expected}) <= ULP
    assert [(spec.name, list(spec.shape)) for spec in converted.model.inputs] == [("x_cat", [3]), ("x_cont", [4])]
    columns = [
        (layer.name, *layer.inputs, layer.embedding.start, layer.embedding.stop) for layer in converted.model.layers[:3]
    ]
    assert columns == [(f"embeds.{i}", "x_cat", i, i + 1) for i in range(3)]
    assert converted.notes == ("Left out, as they do nothing in inference: emb_drop.",)


def changed(
    path: Path,
    edit: Callable[[str, bytes], bytes],
    compression: int = zipfile.ZIP_STORED,
    source: Path = RECOMMENDER,
) -> Path:
    """A fixture, with other files in its archive."""
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(path, "w", compression) as after:
        for entry in before.infolist():
            after.writestr(entry.filename, edit(entry.filename, before.read(entry)))
    return path


def edited(suffix: str, edit: Callable[[Any], None]) -> Callable[[str, bytes], bytes]:
    def apply(name: str, data: bytes) -> bytes:
        if not name.endswith(suffix):
            return data
        content = json.loads(data)
        edit(content)
        return json.dumps(content).encode()

    return apply


def _pickled(table: Mapping[str, Any]) -> None:
    table["config"]["top.weight"]["use_pickle"] = True


def _beyond(table: Mapping[str, Any]) -> None:
    table["config"]["top.weight"]["tensor_meta"]["strides"][0]["as_int"] = 1 << 40
    table["config"]["top.weight"]["tensor_meta"]["sizes"][0]["as_int"] = 2


def _negative(table: Mapping[str, Any]) -> None:
    table["config"]["top.weight"]["tensor_meta"]["storage_offset"]["as_int"] = -4


def _newer(model: Mapping[str, Any]) -> None:
    model["schema_version"]["major"] = 9


def _foreign(model: Mapping[str, Any]) -> None:
    model["graph_module"]["graph"]["nodes"][0]["target"] = "torch.ops.aten.from_file.default"


def _malformed(model: Mapping[str, Any]) -> None:
    model["graph_module"]["graph"]["nodes"] = [{}]


REFUSED: dict[str, tuple[Callable[[str, bytes], bytes], type[NumbatchError], str]] = {
    "pickled weights": (
        edited("_weights_config.json", _pickled),
        UnsupportedError,
        "top.weight is pickled, and opening",
    ),
    "weights outside their file": (edited("_weights_config.json", _beyond), CorruptModelError, "ends at element"),
    "weights before their file": (edited("_weights_config.json", _negative), CorruptModelError, "negative"),
    "a newer schema": (
        edited("models/model.json", _newer),
        UnsupportedError,
        "schema",
    ),
    "another operator": (
        edited("models/model.json", _foreign),
        UnsupportedError,
        "aten.from_file.default in Embedding",
    ),
    "a malformed graph": (
        edited("models/model.json", _malformed),
        CorruptModelError,
        "malformed: KeyError",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_read_is_refused(case: str, tmp_path: Path) -> None:
    edit, kind, words = REFUSED[case]
    with pytest.raises(kind, match=words):
        from_torch(changed(tmp_path / "changed.pt2", edit))


def test_compressed_archives_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    path = changed(tmp_path / "bomb.pt2", lambda _name, data: data, zipfile.ZIP_DEFLATED)
    with pytest.raises(CorruptModelError, match="compressed, which torch.export does not do"):
        from_torch(path)


def test_samples_that_would_be_unpickled_are_not_opened(tmp_path: Path) -> None:
    harmful = b"cos\nsystem\n(S'false'\ntR."
    path = changed(tmp_path / "m.pt2", lambda name, data: harmful if name.endswith("model.pt") else data)
    assert from_torch(path).model.layers


@pytest.mark.parametrize("kept", [0, 10, 1000])
def test_truncated_files_are_refused(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "cut.pt2"
    path.write_bytes(RECOMMENDER.read_bytes()[:kept])
    with pytest.raises(CorruptModelError, match="no zip archive, or a truncated one"):
        from_torch(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptModelError, match="absent.pt2: .*No such file"):
        from_torch(tmp_path / "absent.pt2")


def test_archives_of_other_things_are_refused(tmp_path: Path) -> None:
    path = shutil.make_archive(str(tmp_path / "other"), "zip", FIXTURES, "torch_classifier.txtpb")
    Path(path).rename(tmp_path / "other.pt2")
    with pytest.raises(UnsupportedError, match="expected one program of torch.export.save"):
        from_torch(tmp_path / "other.pt2")


def _places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, part in content.items() if isinstance(content, dict) else enumerate(content):
        if isinstance(part, dict | list):
            yield from _places(part, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.parametrize("source", [RECOMMENDER, TABULAR], ids=lambda path: path.stem)
def test_whatever_a_graph_says_the_errors_are_ours(source: Path, tmp_path: Path) -> None:
    """A sweep over the graph: one entry after another is replaced by what does not belong there."""
    with zipfile.ZipFile(source) as archive:
        graph = json.loads(archive.read(f"{source.stem}/models/model.json"))
    places = list(_places(graph))
    strange: list[Any] = [None, -1, 10**30, "x", [], {"as_tensor": {"name": "x"}}]
    for i, place in enumerate(places[::11]):

        def replace(model: Any, place: tuple[Any, ...] = place, i: int = i) -> None:
            for key in place[:-1]:
                model = model[key]
            model[place[-1]] = strange[i % len(strange)]

        with suppress(NumbatchError):
            from_torch(changed(tmp_path / "strange.pt2", edited("models/model.json", replace), source=source))
