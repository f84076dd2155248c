"""What a source is: its content decides, then its name; what cannot be read is refused with what to do."""

import json
import sys
import zipfile
from pathlib import Path

import pytest

from numbatch.convert import detect
from numbatch.wire.errors import CorruptModelError, InvalidArgumentError, UnsupportedError

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(16)
ARCHITECTURE = json.dumps({"module": "keras", "class_name": "Sequential", "config": {}}).encode()
SAFETENSORS = (16).to_bytes(8, "little") + b'{"a":{"dtype":..'
ONNX = b"\x08\x0a\x12\x07pytorch\x1a\x06"
OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def archive(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as made:
        for name in names:
            made.writestr(name, "{}")
    return path


@pytest.mark.parametrize("name", ["m.keras", "m.zip", "m"])
@pytest.mark.parametrize(
    ("contents", "framework", "kind"),
    [
        (["metadata.json", "config.json", "model.weights.h5"], "keras", "a Keras file"),
        (["schema.json", "1.npy"], "sklearn", "a skops file"),
        (["m/data/weights/weight_0", "m/models/model.json", "m/archive_format"], "torch", "an exported program of"),
        (["serialized_exported_program.json", "version"], "torch", "an exported program of PyTorch"),
        (["net/data.pkl", "net/data/0"], "torch", "a file of torch.save"),
    ],
)
def test_an_archive_is_what_is_in_it(tmp_path: Path, name: str, contents: list[str], framework: str, kind: str) -> None:
    found = detect(archive(tmp_path / name, *contents))
    assert (found.framework, found.name, found.source) == (framework, "m", tmp_path / name)
    assert found.kind.startswith(kind)


@pytest.mark.parametrize(
    ("name", "content", "framework", "kind"),
    [
        ("m.h5", HDF5, "keras", "an HDF5 file of Keras"),
        ("m.model", HDF5, "keras", "an HDF5 file of Keras"),
        ("m.json", ARCHITECTURE, "keras", "an architecture of Keras"),
        ("m.config", b"  \n" + ARCHITECTURE, "keras", "an architecture of Keras"),
        ("m.safetensors", SAFETENSORS, "torch", "weights in safetensors"),
        ("m.bin", SAFETENSORS, "torch", "weights in safetensors"),
        ("m.pth", OLD_TORCH, "torch", "a file of torch.save"),
        ("m.onnx", ONNX, "onnx", "an ONNX file"),
        ("m.bin", ONNX, "onnx", "an ONNX file"),
        ("m.onnx", b"\x3a\x00", "onnx", "an ONNX file"),  # fields in another order: by its name
        ("m.keras", b"damaged", "keras", "a Keras file"),  # its reader says what is wrong
    ],
)
def test_a_file_is_what_it_begins_with_or_is_called(
    tmp_path: Path, name: str, content: bytes, framework: str, kind: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = detect(str(tmp_path / name))
    assert (found.framework, found.kind, found.name) == (framework, kind, "m")


def test_a_folder_is_a_saved_model(tmp_path: Path) -> None:
    (tmp_path / "tower").mkdir()
    (tmp_path / "tower" / "saved_model.pb").touch()
    found = detect(tmp_path / "tower")
    assert (found.framework, found.kind, found.name) == ("keras", "a SavedModel folder", "tower")


@pytest.mark.parametrize(
    ("name", "content"),
    [("m.pkl", b"\x80\x04\x95"), ("m", b"\x80\x05\x95"), ("m.joblib", b"x\x5e}OTk"), ("m.sav", b"(")],
)
def test_pickles_are_refused_unread_with_what_to_do_instead(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnsupportedError) as refused:
        detect(tmp_path / name)
    assert refused.value.message.startswith(f"{tmp_path / name}: a pickle, which runs whatever code is in it")
    assert "name that as module:attribute, or save it anew: skops.io.dump for scikit-learn" in refused.value.message


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("m.onnx", b"", "got an empty file, expected a .keras, .h5,"),
        (
            "m.onnx",
            b"version https://git-lfs.github.com/spec/v1",
            "a pointer of Git LFS, expected what it points to: git",
        ),
        ("m.json", b'{"weights": [1]}', "JSON of something else, expected what Keras' model.to_json() returns"),
        ("m.json", b"{", "got no JSON"),
        ("model.binpb", b"\x0a\x01m", "a model of numbatch, which needs no import"),
        ("notes.txt", b"hello world", "a file that begins with b'hello wo', expected a .keras, .h5,"),
    ],
)
def test_what_is_no_model_is_refused(tmp_path: Path, name: str, content: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorruptModelError) as refused:
        detect(tmp_path / name)
    assert refused.value.message.startswith(f"{tmp_path / name}: no model that can be read: ")
    assert problem in refused.value.message


def test_torchscript_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match=r"a TorchScript archive; export the module .*torch\.export\.save"):
        detect(archive(tmp_path / "m.pt", "m/data.pkl", "m/code/__torch__/net.py", "m/constants.pkl"))


def test_archives_and_folders_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptModelError, match="got arrays of NumPy, without a network"):
        detect(archive(tmp_path / "m.npz", "arr_0.npy"))
    with pytest.raises(CorruptModelError, match="got an archive of page.html"):
        detect(archive(tmp_path / "m.keras", "page.html"))
    with pytest.raises(CorruptModelError, match=r"got m\.keras, m\.npz, expected saved_model\.pb in it, or a file"):
        detect(tmp_path)


def test_a_missing_file_is_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        detect(tmp_path / "m.onnx")


LIVE = """
from sklearn.linear_model import LinearRegression
from sklearn.base import BaseEstimator

model = LinearRegression()

class Own(BaseEstimator):
    best = LinearRegression()

def build():
    return Own()

def fails():
    return {}["weights"]

number = 7
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current folder."""
    module = f"live_{tmp_path.name}"
    (tmp_path / f"{module}.py").write_text(LIVE)
    (tmp_path / f"{module}_broken.py").write_text("\n\nraise ValueError('no data')\n")
    (tmp_path / f"{module}_ends.py").write_text("import sys\nsys.exit(2)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    return module


@pytest.mark.parametrize(
    ("attribute", "kind", "name"),
    [
        ("model", "a live LinearRegression", "model"),
        ("Own.best", "a live LinearRegression", "best"),
        ("build", "a live Own", "build"),
        ("Own", "a live Own", "Own"),
    ],
)
def test_a_live_object_is_imported_from_the_current_folder_and_its_class_tells(
    here: str, attribute: str, kind: str, name: str
) -> None:
    found = detect(f"{here}:{attribute}")
    assert (found.framework, found.kind, found.name) == ("sklearn", kind, name)
    assert type(found.source).__name__ in kind


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{}:nobody", "has no attribute 'nobody', expected an attribute of it"),
        (
            "{}:number",
            "got builtins.int, expected a model of Keras, PyTorch, scikit-learn or ONNX, or what returns one",
        ),
        ("{}:fails", "calling it fails: KeyError: 'weights' ("),
        ("{}_broken:model", "_broken.py, line 3)"),
        ("{}_broken:model", "importing it fails: ValueError: no data ("),
        ("{}_ends:model", "importing it fails: SystemExit: 2 ("),
        ("{}_nowhere:model", "_nowhere, expected a module of the current folder or of the environment"),
        ("nowhere.at.all:model", "got no nowhere, expected a module"),
    ],
)
def test_what_is_wrong_with_a_live_object_is_said(here: str, source: str, problem: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        detect(source.format(here))
    assert refused.value.message.startswith(source.format(here))
    assert problem in refused.value.message


def test_a_framework_that_a_module_needs_is_what_is_missing(here: str) -> None:
    Path(f"{here}_needs.py").write_text("import tensorflow.nothing_of_that_name\n")
    with pytest.raises(ModuleNotFoundError) as missing:
        detect(f"{here}_needs:model")
    assert (missing.value.name or "").startswith("tensorflow")
