"""Weights messages -> arrays: from the message, from the message's file, or from a safetensors file beside it."""

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from numbatch.engine.binary_file import BinaryFile, CutShortError
from numbatch.engine.large_files import Extent
from numbatch.engine.safetensors_file import NotSafetensorsError, SafetensorsFile, open_safetensors
from numbatch.v1.model_pb2 import Weights, WeightsReference
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.models import array_of
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array, data_type_name, is_float32, shape_text

# Parts of about this size are read at a time: enough for the disk, little beside the weights.
PART_BYTES = 4 * 1024 * 1024

_LONGEST_TEXT = 200


class _Source(NamedTuple):
    """Where an array is: what returns some of its rows, what they are called in errors, and the digest of them all."""

    rows: Callable[[int, int], Float32Array]
    name: str = ""
    sha256: bytes = b""


class WeightsReader:
    """Reads the weights of one model.

    Parameters
    ----------
    folder : Path or None
        Where the model's message lies, and with it the files that it refers to. None: it came without a folder, and may
        refer to none.
    file : BinaryFile or None
        The message's own file.
    extents : mapping of str to Extent
        Weights that were left in that file, by the path of their field.
    """

    def __init__(
        self, folder: Path | None, file: BinaryFile | None = None, extents: Mapping[str, Extent] | None = None
    ) -> None:
        self._folder = folder
        self._file = file
        self._extents = extents or {}
        self._opened: dict[str, SafetensorsFile] = {}

    def read(self, weights: Weights, expected: Sequence[int], field: str) -> Float32Array:
        """Return an array of weights; as `parts`, but whole."""
        ((_, array),) = self.parts(weights, expected, field, step=expected[0])
        return array

    def parts(
        self, weights: Weights, expected: Sequence[int], field: str, *, step: int
    ) -> Iterator[tuple[int, Float32Array]]:
        """Give the rows of an array of weights, some megabytes at a time.

        Parameters
        ----------
        weights : Weights
            The message.
        expected : sequence of int
            The shape that the layer needs. It is compared with the declared shape, and that with the source's, before
            anything is allocated.
        field : str
            The message's path, for errors.
        step : int
            Each part begins at a multiple of so many rows.

        Yields
        ------
        int
            The first row of the part.
        ndarray of float32
            The part, read-only perhaps.

        Raises
        ------
        InvalidModelError
            MODEL_INVALID, WEIGHTS_MISMATCH, WEIGHTS_NOT_FINITE or WEIGHTS_OUTSIDE_MODEL.
        CorruptModelError
            WEIGHTS_CORRUPT.
        UnsupportedError
            FEATURE_UNSUPPORTED.
        """
        source = self._source(weights, expected, field)
        count = step * max(1, PART_BYTES // (4 * step * math.prod(expected[1:])))
        digest = hashlib.sha256()
        problem: NumbatchError | None = None
        for first in range(0, expected[0], count):
            try:
                part = source.rows(first, min(first + count, expected[0]))
            except CutShortError:
                raise error(Reason.WEIGHTS_CORRUPT, "the file was cut short while it was read", field=field) from None
            if source.sha256:
                digest.update(np.ascontiguousarray(part).data)
            problem = problem or _not_finite(part, first, field)
            if problem is None:
                yield first, part
            elif not source.sha256:
                raise problem
        if source.sha256 and digest.digest() != source.sha256:
            raise error(
                Reason.WEIGHTS_CORRUPT,
                f"tensor {source.name!r} changed",
                field=f"{field}.reference.sha256",
                got=digest.hexdigest(),
                expected=source.sha256.hex(),
            )
        if problem is not None:
            raise problem

    def _source(self, weights: Weights, expected: Sequence[int], field: str) -> _Source:
        if not is_float32(weights.data_type):
            got = data_type_name(weights.data_type)
            raise error(
                Reason.FEATURE_UNSUPPORTED, "type of weights", field=f"{field}.data_type", got=got, expected="float32"
            )
        if list(weights.shape) != list(expected):
            got, wanted = shape_text(weights.shape), shape_text(expected)
            raise error(Reason.WEIGHTS_MISMATCH, field=f"{field}.shape", got=got, expected=wanted)
        kind = weights.WhichOneof("source")
        if field in self._extents and self._file is not None:
            extent = self._extents[field]
            _check_size(extent.size, weights, field)
            return _rows_of(self._file, extent.at, expected)
        if kind == "data":
            _check_size(len(weights.data), weights, field)
            array = array_of(weights, field)
            return _Source(lambda first, end: array[first:end])
        if kind == "reference":
            return self._tensor(weights, f"{field}.reference")
        raise error(Reason.MODEL_INVALID, "no weights", field=field, got="none", expected="data or reference")

    def _tensor(self, weights: Weights, field: str) -> _Source:
        reference = weights.reference
        file, tensors = self._open(reference, field)
        name = reference.tensor_name
        if name not in tensors:
            known = ", ".join(sorted(tensors)[:20])[:_LONGEST_TEXT] or "none"
            raise error(
                Reason.WEIGHTS_MISMATCH, "no such tensor", field=f"{field}.tensor_name", got=repr(name), expected=known
            )
        place = tensors[name]
        shape = list(weights.shape)
        if (place.data_type, place.shape, place.size) != ("F32", shape, 4 * math.prod(shape)):
            got = f"{place.data_type} {place.shape} in {place.size} bytes"[:_LONGEST_TEXT]
            expected = f"F32 {shape} in {4 * math.prod(shape)} bytes"
            raise error(Reason.WEIGHTS_MISMATCH, f"tensor {name!r}", field=field, got=got, expected=expected)
        return _rows_of(file, place.at, shape, name, reference.sha256)

    def _open(self, reference: WeightsReference, field: str) -> SafetensorsFile:
        field = f"{field}.file"
        if self._folder is None:
            raise error(
                Reason.WEIGHTS_OUTSIDE_MODEL,
                "a model that comes in a message brings its weights inline",
                field=field,
                got=repr(reference.file),
            )
        if reference.file not in self._opened:
            folder = self._folder.resolve()
            named = PurePosixPath(reference.file)
            inside = (
                reference.file and "\0" not in reference.file and not named.is_absolute() and ".." not in named.parts
            )
            path = Path(os.path.realpath(folder / named)) if inside else None
            if path is None or not path.is_relative_to(folder):
                raise error(
                    Reason.WEIGHTS_OUTSIDE_MODEL,
                    field=field,
                    got=repr(reference.file),
                    expected="a file inside the model's folder",
                )
            try:
                self._opened[reference.file] = open_safetensors(path)
            except FileNotFoundError as missing:
                raise error(Reason.WEIGHTS_CORRUPT, "no such file", field=field, got=repr(reference.file)) from missing
            except (OSError, NotSafetensorsError) as broken:
                problem = f"no safetensors file: {broken}"
                raise error(Reason.WEIGHTS_CORRUPT, problem, field=field, got=repr(reference.file)) from broken
        return self._opened[reference.file]


def _rows_of(file: BinaryFile, at: int, shape: Sequence[int], name: str = "", sha256: bytes = b"") -> _Source:
    axes = tuple(shape[1:])
    row_bytes = 4 * math.prod(axes)
    return _Source(
        lambda first, end: file.read_floats(at + first * row_bytes, (end - first, *axes)), name, sha256
    )  # fmt: skip


def _check_size(size: int, weights: Weights, field: str) -> None:
    expected = 4 * math.prod(weights.shape)
    if size != expected:
        raise error(
            Reason.WEIGHTS_MISMATCH, field=f"{field}.data", got=f"{size} bytes", expected=f"{expected} bytes"
        )  # fmt: skip


def _not_finite(part: Float32Array, first: int, field: str) -> NumbatchError | None:
    finite = np.isfinite(part)
    if finite.all():
        return None
    row, *rest = np.unravel_index(np.argmin(finite), finite.shape)
    index = ", ".join(str(i) for i in (first + row, *rest))
    got = part[(row, *rest)]
    return error(Reason.WEIGHTS_NOT_FINITE, field=f"{field}[{index}]", got=got, expected="finite numbers")
