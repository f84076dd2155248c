"""Reading HDF5 files: arrays and attributes of the file itself, and nothing that it points to elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from numbatch.convert.keras.network import corrupt
from numbatch.convert.keras.variables import as_floats
from numbatch.wire.tensors import Array

# Beyond this an array that is stored compressed is no weights.
_MOST_EXPANSION = 64
_SMALL = 2**26


@contextmanager
def open_hdf5(file: Path | BinaryIO, field: str) -> Iterator[Any]:
    """Open a file for reading.

    Raises
    ------
    ModuleNotFoundError
        If h5py is not installed.
    CorruptModelError
        MODEL_CORRUPT, if it is no HDF5 file.
    """
    h5py = _h5py()
    try:
        opened = h5py.File(file, "r")
    except (OSError, ValueError) as broken:
        raise corrupt("no HDF5 file, or a damaged one", field=field, got=str(broken)) from broken
    with opened:
        yield opened


def new_hdf5(file: BinaryIO) -> Any:
    """Return a new file to write to, a context.

    Raises
    ------
    ModuleNotFoundError
        If h5py is not installed.
    """
    return _h5py().File(file, "w", libver="latest")


def _h5py() -> Any:
    try:
        import h5py
    except ModuleNotFoundError as missing:
        message = "the weights of Keras are in HDF5, which takes h5py: pip install 'numbatch[convert]'"
        raise ModuleNotFoundError(message, name="h5py") from missing
    return h5py


@contextmanager
def _damage(field: str) -> Iterator[None]:
    """Turn what h5py raises where the bytes make no sense into an error of ours."""
    try:
        yield
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as broken:
        raise corrupt("a damaged HDF5 file", field=field, got=str(broken)) from broken


def member(group: Any, path: str) -> Any:
    """Return a group or dataset by its path, or None; links that leave the file are refused."""
    import h5py

    with _damage(path):
        for part in path.split("/"):
            link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise corrupt("a link in place of data", field=path, got=type(link).__name__, expected="the data")
            group = group[part]
    return group


def count_members(group: Any) -> int:
    """Return how many members a group has: 0 of what is none."""
    import h5py

    return len(group) if isinstance(group, h5py.Group) else 0


def read_array(dataset: Any, field: str) -> Array:
    """Return an array, of no more elements than are stored.

    Raises
    ------
    CorruptModelError
        MODEL_CORRUPT, if it is not there, or in another file.
    """
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        raise corrupt("an array is missing", field=field)
    with _damage(field):
        if dataset.external or dataset.is_virtual:
            raise corrupt("an array in another file", field=field, expected="its data in this file")
        stored = max(dataset.id.get_storage_size(), 1)
        if dataset.nbytes > max(_MOST_EXPANSION * stored, _SMALL):
            raise corrupt("an array larger than what is stored", field=field, got=f"{dataset.nbytes} bytes of {stored}")
        array = as_floats(np.asarray(dataset[()]))
    if array.dtype.kind not in "fiub":
        raise corrupt("an array of no numbers", field=field, got=array.dtype)
    return array


def attribute(group: Any, name: str) -> Any:
    """Return an attribute; bytes as text, a list in pieces (name0, name1, ...) as one; None if there is none."""
    with _damage(name):
        if name in group.attrs:
            return _text(group.attrs[name])
        pieces: list[Any] = []
        while f"{name}{len(pieces)}" in group.attrs:
            pieces.append(_text(group.attrs[f"{name}{len(pieces)}"]))
        return [each for piece in pieces for each in piece] if pieces else None


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, str):  # h5py leaves bytes that are no UTF-8 in it as surrogates
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, np.ndarray):
        return [_text(each) for each in value.tolist()]
    return value
