"""Reading models from files: `.keras`, whole-model `.h5`, an architecture in `.json` with its weights, a SavedModel.

Keras is not needed, and no code that a file holds or names is run.
"""

import io
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from numbatch.convert.keras.described import read_network
from numbatch.convert.keras.hdf5 import attribute, open_hdf5
from numbatch.convert.keras.json_text import read_json
from numbatch.convert.keras.network import Network, corrupt
from numbatch.convert.keras.saved_model import read_saved_model
from numbatch.convert.keras.weights import read_weights
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_ZIP = b"PK\x03\x04"
_HDF5 = b"\x89HDF\r\n\x1a\n"
# Keras stores what it writes as it is; this leaves room for archives that were packed again.
_MOST_EXPANSION = 200
_SMALL = 2**26


class Source(NamedTuple):
    """A model that was read.

    Attributes
    ----------
    network : Network
        With the variables of its layers.
    keras_version : str
        Of the Keras that wrote it: "3.15.1"; "" if it does not say so.
    name : str
        What a model that has no name is called.
    """

    network: Network
    keras_version: str
    name: str


def read_file(path: Path, weights: Path | None = None) -> Source:
    """Read a model.

    Parameters
    ----------
    path : Path
        A `.keras` file (or the folder of an unpacked one), a whole-model `.h5`, an architecture, or a SavedModel.
    weights : Path, optional
        Of an architecture, which has none: a `.weights.h5` of Keras 3 or a file of Keras 2's `save_weights`.

    Raises
    ------
    OSError
        If a file cannot be read.
    NumbatchError
        MODEL_CORRUPT, FEATURE_UNSUPPORTED or INVALID_FIELD, if it is no model, or one that lacks its weights.
    """
    if path.is_dir():
        _no_weights_beside(path, weights)
        return _folder(path)
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_ZIP):
        _no_weights_beside(path, weights)
        return _archive(path)
    if start == _HDF5:
        _no_weights_beside(path, weights)
        return _whole_h5(path)
    return _architecture(path, weights)


def _no_weights_beside(path: Path, weights: Path | None) -> None:
    if weights is not None:
        expected = "only with an architecture (.json), which has none of its own"
        raise error(Reason.INVALID_FIELD, field="weights", got=f"with {path.name}", expected=expected)


def _folder(path: Path) -> Source:
    if (path / _CONFIG).is_file():
        description = read_json((path / _CONFIG).read_bytes(), _CONFIG)
        metadata = read_json((path / _METADATA).read_bytes(), _METADATA) if (path / _METADATA).is_file() else {}
        network = read_network(description)
        with open_hdf5(path / _WEIGHTS, _WEIGHTS) as file:
            read_weights(network, file)
        return Source(network, str(metadata.get("keras_version", "")), path.stem)
    network, version = read_saved_model(path)
    return Source(network, version, path.resolve().name)


def _archive(path: Path) -> Source:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if _CONFIG not in names:
                raise corrupt("no Keras file", field=path.name, got=", ".join(names[:4]), expected=_CONFIG)
            description = read_json(_read(archive, _CONFIG), _CONFIG)
            metadata = read_json(_read(archive, _METADATA), _METADATA) if _METADATA in names else {}
            network = read_network(description)
            if _WEIGHTS not in names:
                raise corrupt("no weights", field=path.name, got=", ".join(names[:4]), expected=_WEIGHTS)
            stored = io.BytesIO(_read(archive, _WEIGHTS))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as broken:
        raise corrupt("a damaged archive", field=path.name, got=str(broken)) from broken
    with open_hdf5(stored, f"{path.name}/{_WEIGHTS}") as file:
        read_weights(network, file)
    return Source(network, str(metadata.get("keras_version", "")), path.stem)


def _read(archive: zipfile.ZipFile, name: str) -> bytes:
    member = archive.getinfo(name)
    if member.file_size > max(_MOST_EXPANSION * member.compress_size, _SMALL):
        got = f"{member.file_size} bytes of {member.compress_size}"
        raise corrupt("it unpacks to far more than it is", field=name, got=got)
    return archive.read(name)


def _whole_h5(path: Path) -> Source:
    with open_hdf5(path, path.name) as file:
        text = attribute(file, "model_config")
        if text is None:
            raise error(
                Reason.FEATURE_UNSUPPORTED,
                "weights alone: the file does not say what the network is",
                field=path.name,
                hint="pass the architecture (model.to_json(), in a .json file) with this file as weights=",
            )
        network = read_network(read_json(str(text).encode(), "model_config"))
        read_weights(network, file)
        return Source(network, str(attribute(file, "keras_version") or "1"), path.stem)  # as Keras takes it


def _architecture(path: Path, weights: Path | None) -> Source:
    description = read_json(path.read_bytes(), path.name)
    network = read_network(description)
    version = str(description.get("keras_version") or "")
    if weights is None:
        raise error(
            Reason.INVALID_FIELD,
            "an architecture has no weights of its own",
            field="weights",
            got="none",
            expected="a .weights.h5 file of the same model",
        )
    with open_hdf5(weights, weights.name) as file:
        read_weights(network, file)
        version = version or str(attribute(file, "keras_version") or "")
    return Source(network, version, path.stem)
