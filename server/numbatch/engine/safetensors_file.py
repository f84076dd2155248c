"""Tensors in a safetensors file: its header is read and checked, its data is left where it is.

The format: a little-endian uint64, the length of a JSON object; that object, which gives for each tensor its type, its
shape and its place in the bytes that follow; those bytes. Every size that a header declares is compared with the file's
before anything is made of it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from numbatch.engine.binary_file import BinaryFile, CutShortError

# A header has about a hundred bytes for a tensor.
_MOST_HEADER_BYTES = 16 * 1024 * 1024

_LENGTH_BYTES = 8


class NotSafetensorsError(Exception):
    """The file is none, or a truncated one; the text says why."""


class TensorPlace(NamedTuple):
    """A tensor: its type as the format calls it ("F32"), its shape, and where it lies in the file."""

    data_type: str
    shape: list[int]
    at: int
    size: int


class SafetensorsFile(NamedTuple):
    """A file and the tensors in it."""

    file: BinaryFile
    tensors: Mapping[str, TensorPlace]


def open_safetensors(path: Path) -> SafetensorsFile:
    """Open a file, and read its header.

    Raises
    ------
    NotSafetensorsError
        If it is none.
    OSError
        If it cannot be opened.
    """
    file = BinaryFile(path)
    try:
        length = int.from_bytes(file.read(0, _LENGTH_BYTES), "little")
        if length > _MOST_HEADER_BYTES:
            raise NotSafetensorsError(f"a header of {length} bytes; at most {_MOST_HEADER_BYTES} are read")
        header = json.loads(file.read(_LENGTH_BYTES, length))
    except CutShortError:
        raise NotSafetensorsError(f"its {file.size} bytes are fewer than its header has") from None
    except (ValueError, RecursionError) as malformed:
        raise NotSafetensorsError("its header is no JSON") from malformed
    if not isinstance(header, dict):
        raise NotSafetensorsError("its header is no JSON object")
    header.pop("__metadata__", None)
    start = _LENGTH_BYTES + length
    tensors = {name: _place(name, entry, start, file.size) for name, entry in header.items()}
    end = max((place.at + place.size for place in tensors.values()), default=start)
    if end != file.size:
        raise NotSafetensorsError(f"its tensors end at byte {end}, the file at {file.size}")
    return SafetensorsFile(file, tensors)


def _place(name: str, entry: Any, start: int, size: int) -> TensorPlace:
    try:
        data_type, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [*shape, begin, end]
    except (TypeError, KeyError, ValueError) as malformed:
        raise NotSafetensorsError(f"its entry for tensor {name[:128]!r} is malformed") from malformed
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise NotSafetensorsError(f"its entry for tensor {name[:128]!r} has a number that is none")
    if not begin <= end <= size - start:
        raise NotSafetensorsError(f"tensor {name[:128]!r} ends at byte {start + end}, the file at {size}")
    return TensorPlace(str(data_type), shape, start + begin, end - begin)
