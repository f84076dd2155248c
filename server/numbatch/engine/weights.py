"""Weights messages -> arrays, from the message itself or from a safetensors file beside it, memory-mapped."""

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from numbatch.v1.model_pb2 import Weights, WeightsReference
from numbatch.wire.errors import error
from numbatch.wire.models import array_of
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array, data_type_name, is_float32, shape_text


class WeightsReader:
    """Reads the weights of one model.

    Parameters
    ----------
    folder : Path or None
        Where the model's message lies, and with it the files that it refers to. None: it came without a folder, and may
        refer to none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._files: dict[str, Any] = {}

    def read(self, weights: Weights, expected: Sequence[int], field: str) -> Float32Array:
        """Return an array of weights, read-only.

        Parameters
        ----------
        weights : Weights
            The message.
        expected : sequence of int
            The shape that the layer needs. It is compared with the declared shape, and that with the source's, before
            anything is allocated.
        field : str
            The message's path, for errors.

        Raises
        ------
        InvalidModelError
            MODEL_INVALID, WEIGHTS_MISMATCH, WEIGHTS_NOT_FINITE or WEIGHTS_OUTSIDE_MODEL.
        CorruptModelError
            WEIGHTS_CORRUPT.
        UnsupportedError
            FEATURE_UNSUPPORTED.
        """
        if not is_float32(weights.data_type):
            got = data_type_name(weights.data_type)
            raise error(
                Reason.FEATURE_UNSUPPORTED, "type of weights", field=f"{field}.data_type", got=got, expected="float32"
            )
        if list(weights.shape) != list(expected):
            got, wanted = shape_text(weights.shape), shape_text(expected)
            raise error(Reason.WEIGHTS_MISMATCH, field=f"{field}.shape", got=got, expected=wanted)
        source = weights.WhichOneof("source")
        if source == "data":
            array = self._inline(weights, field)
        elif source == "reference":
            array = self._mapped(weights, f"{field}.reference")
        else:
            raise error(Reason.MODEL_INVALID, "no weights", field=field, got="none", expected="data or reference")
        if not np.isfinite(array).all():
            place = np.unravel_index(np.argmin(np.isfinite(array)), array.shape)
            index = ", ".join(str(i) for i in place)
            raise error(
                Reason.WEIGHTS_NOT_FINITE, field=f"{field}[{index}]", got=array[place], expected="finite numbers"
            )
        return array

    def _inline(self, weights: Weights, field: str) -> Float32Array:
        expected = 4 * math.prod(weights.shape)
        if len(weights.data) != expected:
            got = f"{len(weights.data)} bytes"
            raise error(Reason.WEIGHTS_MISMATCH, field=f"{field}.data", got=got, expected=f"{expected} bytes")
        return array_of(weights, field)

    def _mapped(self, weights: Weights, field: str) -> Float32Array:
        reference = weights.reference
        file = self._open(reference, field)
        name = reference.tensor_name
        if name not in file.keys():
            known = ", ".join(sorted(file.keys())[:20]) or "none"
            raise error(
                Reason.WEIGHTS_MISMATCH, "no such tensor", field=f"{field}.tensor_name", got=repr(name), expected=known
            )
        header = file.get_slice(name)
        got, expected = f"{header.get_dtype()} {header.get_shape()}", f"F32 {list(weights.shape)}"
        if got != expected:
            raise error(Reason.WEIGHTS_MISMATCH, f"tensor {name!r}", field=field, got=got, expected=expected)
        array: Float32Array = file.get_tensor(name)
        if reference.sha256:
            digest = hashlib.sha256(np.ascontiguousarray(array).data).digest()
            if digest != reference.sha256:
                got, expected = digest.hex(), reference.sha256.hex()
                raise error(
                    Reason.WEIGHTS_CORRUPT,
                    f"tensor {name!r} changed",
                    field=f"{field}.sha256",
                    got=got,
                    expected=expected,
                )
        return array

    def _open(self, reference: WeightsReference, field: str) -> Any:
        field = f"{field}.file"
        if self._folder is None:
            raise error(
                Reason.WEIGHTS_OUTSIDE_MODEL,
                "a model that comes in a message brings its weights inline",
                field=field,
                got=repr(reference.file),
            )
        if reference.file not in self._files:
            folder = self._folder.resolve()
            named = PurePosixPath(reference.file)
            path = (folder / named).resolve()
            if not reference.file or named.is_absolute() or ".." in named.parts or not path.is_relative_to(folder):
                raise error(
                    Reason.WEIGHTS_OUTSIDE_MODEL,
                    field=field,
                    got=repr(reference.file),
                    expected="a file inside the model's folder",
                )
            try:
                self._files[reference.file] = safe_open(path, framework="numpy")
            except (OSError, SafetensorError) as broken:
                problem = "no such file" if isinstance(broken, FileNotFoundError) else f"no safetensors file: {broken}"
                raise error(Reason.WEIGHTS_CORRUPT, problem, field=field, got=repr(reference.file)) from broken
        return self._files[reference.file]
