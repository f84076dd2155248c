"""Model messages in files."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from numbatch.engine.binary_file import BinaryFile
from numbatch.engine.large_files import Extent, MalformedError, UnusualError, without_weights
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

# In the order in which they are looked for.
MODEL_FILES = ("model.binpb", "model.txtpb")

# From here on it is worth it to leave weights in the file.
LARGE_FILE_BYTES = 1024 * 1024


def model_file(path: str | os.PathLike[str]) -> Path:
    """Return the model file of a version folder, or the path itself if it is a file.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if there is none, or the folder may not be looked into.
    """
    path = Path(path)
    try:
        if path.is_file():
            return path
        found = [path / name for name in MODEL_FILES if (path / name).is_file()]
    except OSError as unreadable:
        raise _unreadable(path, unreadable) from unreadable
    if not found:
        got = f"{path} without one" if path.is_dir() else f"{path}, which does not exist"
        missing = FileNotFoundError(got)
        raise error(Reason.MODEL_CORRUPT, "no model file", got=got, expected=" or ".join(MODEL_FILES)) from missing
    return found[0]


class OpenedModel(NamedTuple):
    """A model message without its large weights, the file that has them, and where, by the paths of their fields."""

    model: Model
    file: BinaryFile | None = None
    extents: Mapping[str, Extent] = MappingProxyType({})


def open_model_file(path: str | os.PathLike[str]) -> OpenedModel:
    """Read a model message as `read_model` does, but leave large weights in the file."""
    path = model_file(path)
    try:
        return _without_weights(path) or OpenedModel(read_model(path))
    except OSError as unreadable:
        raise _unreadable(path, unreadable) from unreadable
    except (MalformedError, DecodeError) as malformed:
        raise _malformed(path, f": {path.stat().st_size} bytes") from malformed


def is_read_whole(path: Path) -> bool:
    """Whether `open_model_file` reads a model file with all its weights."""
    try:
        return _without_weights(path) is None
    except (OSError, MalformedError, DecodeError):
        return False


def _without_weights(path: Path) -> OpenedModel | None:
    """Return the message of a large file without its weights, or None if it is to be read as a whole."""
    if path.suffix == ".txtpb" or path.stat().st_size < LARGE_FILE_BYTES:
        return None
    file = BinaryFile(path)
    try:
        data, extents = without_weights(file)
    except UnusualError:
        return None
    return OpenedModel(Model.FromString(data), file, extents)


def read_model(path: str | os.PathLike[str]) -> Model:
    """Read a model message; nothing in it is checked yet.

    Parameters
    ----------
    path : path
        A version folder that holds `model.binpb` or `model.txtpb`, or such a file. What does not end in .txtpb is read
        as binary.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if the file is missing, cannot be read, or is no Model message.
    """
    file = model_file(path)
    try:
        data = file.read_bytes()
        if file.suffix == ".txtpb":
            return text_format.Parse(data, Model())
        model = Model.FromString(data)
    except OSError as unreadable:
        raise _unreadable(file, unreadable) from unreadable
    except (DecodeError, text_format.ParseError, UnicodeDecodeError) as malformed:
        detail = f": {malformed}" if isinstance(malformed, text_format.ParseError) else f": {len(data)} bytes"
        raise _malformed(file, detail) from malformed
    if not data:
        raise error(Reason.MODEL_CORRUPT, f"{file} is empty")
    return model


def _unreadable(file: Path, unreadable: OSError) -> NumbatchError:
    return error(Reason.MODEL_CORRUPT, f"{file} cannot be read", got=unreadable.strerror or "an error")


def _malformed(file: Path, detail: str) -> NumbatchError:
    return error(Reason.MODEL_CORRUPT, f"{file} is no Model message, or a truncated one{detail}")
