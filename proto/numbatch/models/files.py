"""Writing a model to disk: into which version, and which weights go beside the message."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import text_format

from numbatch.models.safetensors import write_safetensors
from numbatch.v1.model_pb2 import Model, Weights, WeightsReference
from numbatch.wire.models import array_of
from numbatch.wire.tensors import Float32Array

# Larger arrays go into a file that the server reads piece by piece.
INLINE_BYTES = 2**20

BINARY, TEXT, WEIGHTS = "model.binpb", "model.txtpb", "weights.safetensors"


def version_folder(model_folder: Path, version: int | None, *, overwrite: bool) -> Path:
    """Return where a new version goes.

    Parameters
    ----------
    model_folder : Path
        The model's folder, which need not exist.
    version : int or None
        None: one more than the newest there, or 1.
    overwrite : bool
        Whether the version may be there already.

    Raises
    ------
    FileExistsError
        If it is there and may not be.
    """
    if version is None:
        there = [int(path.name) for path in model_folder.glob("[0-9]*") if path.name.isdecimal()]
        version = max(there, default=0) + 1
    folder = model_folder / str(version)
    if folder.exists() and not overwrite:
        raise FileExistsError(f"{folder}: is there already")
    return folder


def named_weights(model: Model) -> Iterator[tuple[str, Weights]]:
    """Yield the weights of a model as "layer.field": "dense.kernel"."""
    for layer in model.layers:
        for field, value in getattr(layer, layer.WhichOneof("kind")).ListFields():
            if isinstance(value, Weights):
                yield f"{layer.name}.{field.name}", value


def write_model(model: Model, folder: Path, *, text: bool = False) -> list[Path]:
    """Write a model as a version, all of it or nothing.

    Parameters
    ----------
    model : Model
        With inline weights. Those of more than 1 MiB are moved into `weights.safetensors`, and the message refers to
        them.
    folder : Path
        The version's folder, made if missing. A model in it is replaced; other files stay.
    text : bool
        Write `model.txtpb` instead of `model.binpb`.

    Returns
    -------
    list of Path
        The files that were written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A name that begins with a dot is no version: a server that scans the folder now does not see it.
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    partial.mkdir()
    try:
        written = _write_files(model, partial, text=text)
        if folder.exists():
            _replace_files(partial, folder)
        else:
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return [folder / name for name in written]


def _write_files(model: Model, folder: Path, *, text: bool) -> list[str]:
    stored = Model()
    stored.CopyFrom(model)
    large = dict(_move_out(stored))
    message = folder / (TEXT if text else BINARY)
    if text:
        message.write_text(text_format.MessageToString(stored), encoding="utf-8")
    else:
        message.write_bytes(stored.SerializeToString(deterministic=True))
    if not large:
        return [message.name]
    write_safetensors(large, folder / WEIGHTS)
    return [message.name, WEIGHTS]


def _move_out(model: Model) -> Iterator[tuple[str, Float32Array]]:
    """Yield the large weights by name, each replaced in the model by a reference."""
    for name, weights in named_weights(model):
        if len(weights.data) > INLINE_BYTES:
            array, sha256 = array_of(weights), hashlib.sha256(weights.data).digest()
            weights.reference.CopyFrom(WeightsReference(file=WEIGHTS, tensor_name=name, sha256=sha256))
            yield name, array


def _replace_files(new: Path, folder: Path) -> None:
    for name in (WEIGHTS, BINARY, TEXT):  # the message last: what it refers to is there before it
        if (new / name).exists():
            (new / name).replace(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
