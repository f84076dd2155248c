"""Model messages in files."""

import os
from pathlib import Path

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# In the order in which they are looked for.
MODEL_FILES = ("model.binpb", "model.txtpb")


def model_file(path: str | os.PathLike[str]) -> Path:
    """Return the model file of a version folder, or the path itself if it is a file.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if there is none.
    """
    path = Path(path)
    if path.is_file():
        return path
    found = [path / name for name in MODEL_FILES if (path / name).is_file()]
    if not found:
        got = f"{path} without one" if path.is_dir() else f"{path}, which does not exist"
        raise error(Reason.MODEL_CORRUPT, "no model file", got=got, expected=" or ".join(MODEL_FILES))
    return found[0]


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
        raise error(
            Reason.MODEL_CORRUPT, f"{file} cannot be read", got=unreadable.strerror or "an error"
        ) from unreadable
    except (DecodeError, text_format.ParseError, UnicodeDecodeError) as malformed:
        detail = f": {malformed}" if isinstance(malformed, text_format.ParseError) else f": {len(data)} bytes"
        raise error(Reason.MODEL_CORRUPT, f"{file} is no Model message, or a truncated one{detail}") from malformed
    if not data:
        raise error(Reason.MODEL_CORRUPT, f"{file} is empty")
    return model
