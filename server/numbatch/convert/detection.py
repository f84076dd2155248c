"""What a source is: a file's content decides first, then its name; a live object's class does."""

import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from numbatch.convert.live import framework_of, is_live, live_object
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason


class Detected(NamedTuple):
    """A model of another framework, not read yet.

    Attributes
    ----------
    framework : str
        "keras", "torch", "sklearn" or "onnx": whose reader takes it.
    kind : str
        What it is, for people: "a Keras file".
    source : Path or object
        A file, a folder, or the model itself.
    name : str
        What a model that has no name is called.
    """

    framework: str
    kind: str
    source: Any
    name: str


READABLE = (
    "a .keras, .h5, .json, .pt2, .pt, .safetensors, .onnx or .skops file, a SavedModel folder, or module:attribute"
)

_HDF5 = b"\x89HDF\r\n\x1a\n"
_PICKLE = re.compile(rb"\x80[\x02-\x05]")
# A long integer as the first thing of a pickle: what torch.save wrote before it wrote zip archives.
_OLD_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
# ModelProto.ir_version, a small number, then one of the short fields that follow it.
_ONNX = re.compile(rb"\x08[\x01-\x1f][\x12\x1a\x22\x28\x32\x3a\x42]")
_SAFETENSORS = re.compile(rb".{6}\0\0\{", re.DOTALL)
_LFS = b"version https://git-lfs"

# What an archive holds, and whose it is; the first that fits counts.
_IN_ARCHIVES = (
    (r"config\.json", "keras", "a Keras file"),
    (r"schema\.json", "sklearn", "a skops file"),
    (r"(.*/)?archive_format|serialized_exported_program\.json", "torch", "an exported program of PyTorch"),
    (r"[^/]+/data\.pkl", "torch", "a file of torch.save"),
)

# For files whose content says too little.
_BY_NAME = {
    ".keras": ("keras", "a Keras file"),
    ".h5": ("keras", "an HDF5 file of Keras"),
    ".hdf5": ("keras", "an HDF5 file of Keras"),
    ".pt2": ("torch", "an exported program of PyTorch"),
    ".pt": ("torch", "a file of torch.save"),
    ".pth": ("torch", "a file of torch.save"),
    ".safetensors": ("torch", "weights in safetensors"),
    ".onnx": ("onnx", "an ONNX file"),
    ".skops": ("sklearn", "a skops file"),
}
_PICKLED = {".pkl", ".pickle", ".joblib", ".sav", ".dill"}
_OURS = {".binpb", ".txtpb"}


def detect(source: str | Path) -> Detected:
    """Find out what a source is.

    Parameters
    ----------
    source : str or Path
        A file, a SavedModel folder, or `package.module:attribute`: a live model, or a callable that returns one. The
        module is imported, which runs its code.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    UnsupportedError
        FEATURE_UNSUPPORTED, if it is a pickle.
    CorruptModelError
        MODEL_CORRUPT, if it is nothing that can be read.
    """
    path = Path(source)
    if is_live(source):
        value, attribute = live_object(str(source))
        return Detected(framework_of(value, str(source)), f"a live {type(value).__name__}", value, attribute)
    name = path.resolve().name.split(".")[0]
    if path.is_dir():
        return Detected("keras", "a SavedModel folder", _saved_model(path), name)
    framework, kind = _of_file(path)
    return Detected(framework, kind, path, name)


def _saved_model(folder: Path) -> Path:
    if not (folder / "saved_model.pb").is_file():
        found = ", ".join(sorted(each.name for each in folder.iterdir())[:8]) or "nothing"
        raise _unknown(folder, found, "saved_model.pb in it, or a file")
    return folder


def _of_file(path: Path) -> tuple[str, str]:
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(32)
    if not start:
        raise _unknown(path, "an empty file")
    if start.startswith(_LFS):
        raise _unknown(path, "a pointer of Git LFS", "what it points to: git lfs pull")
    if zipfile.is_zipfile(path):
        return _of_archive(path)
    if start.startswith(_HDF5):
        return _BY_NAME[".h5"]
    if _SAFETENSORS.match(start):
        return _BY_NAME[".safetensors"]
    if start.startswith(_OLD_TORCH):
        return _BY_NAME[".pt"]
    if _PICKLE.match(start) or suffix in _PICKLED:
        raise _pickle(path)
    if suffix == ".json" or start.lstrip().startswith(b"{"):
        return _of_json(path)
    if _ONNX.match(start):
        return _BY_NAME[".onnx"]
    if suffix in _OURS:
        raise _unknown(path, "a model of numbatch, which needs no import")
    if suffix in _BY_NAME:
        return _BY_NAME[suffix]
    raise _unknown(path, f"a file that begins with {start[:8]!r}")


def _of_archive(path: Path) -> tuple[str, str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if _any_is(r"[^/]+/code/.*", names):
        problem = "a TorchScript archive"
        hint = (
            "export the module where it is defined: torch.export.save(torch.export.export(module, args), 'model.pt2')"
        )
        raise error(Reason.FEATURE_UNSUPPORTED, problem, field=str(path), hint=hint)
    for pattern, framework, kind in _IN_ARCHIVES:
        if _any_is(pattern, names):
            return framework, kind
    if _any_is(r".*\.npy", names):
        raise _unknown(path, "arrays of NumPy, without a network")
    raise _unknown(path, f"an archive of {', '.join(names[:4]) or 'nothing'}")


def _of_json(path: Path) -> tuple[str, str]:
    try:
        content = json.loads(path.read_bytes())
    except ValueError as broken:
        raise _unknown(path, f"no JSON: {broken}") from broken
    if isinstance(content, dict) and {"class_name", "config"} <= content.keys():
        return "keras", "an architecture of Keras"
    raise _unknown(path, "JSON of something else", "what Keras' model.to_json() returns")


def _any_is(pattern: str, names: Sequence[str]) -> bool:
    return any(re.fullmatch(pattern, name) for name in names)


def _pickle(path: Path) -> NumbatchError:
    problem = "a pickle, which runs whatever code is in it when it is read"
    hint = (
        "load it in a module of yours and name that as module:attribute, or save it anew: skops.io.dump for "
        "scikit-learn, torch.export.save for PyTorch, model.save('model.keras') for Keras"
    )
    return error(Reason.FEATURE_UNSUPPORTED, problem, field=str(path), hint=hint)


def _unknown(path: Path, got: str, expected: str = READABLE) -> NumbatchError:
    return error(Reason.MODEL_CORRUPT, "no model that can be read", field=str(path), got=got, expected=expected)
