"""Reading examples from files: .npy memory-mapped, .npz, and .csv line by line. Nothing reads a long file at once."""

import io
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from numbatch.cli.csv_examples import CsvExamples, InputTypes, Minibatch
from numbatch.cli.exits import CommandError, ExitCode
from numbatch.v1.model_pb2 import InputSpec
from numbatch.v1.repository_pb2 import TensorSpec
from numbatch.v1.tensor_pb2 import DATA_TYPE_INT32
from numbatch.wire.layers import ArrayType
from numbatch.wire.tensors import Array, shape_text

# A byte order mark, as spreadsheets write it, is no part of the first cell.
_ENCODING = "utf-8-sig"


class Examples(Protocol):
    """Rows of a file, in order."""

    @property
    def rows(self) -> int | None:
        """How many, or None if that is known only at the end."""

    def minibatches(self, batch_size: int) -> Iterator[Minibatch]:
        """Yield the rows, `batch_size` at a time, as arrays by input name; the last minibatch may be smaller."""


@dataclass(frozen=True)
class ArrayExamples:
    """Rows of arrays, which may be memory-mapped."""

    arrays: Mapping[str, Array]

    @property
    def rows(self) -> int:
        """The length of the first axis."""
        return len(next(iter(self.arrays.values())))

    def minibatches(self, batch_size: int) -> Iterator[Minibatch]:
        """Yield slices of the arrays."""
        for start in range(0, self.rows, batch_size):
            yield {name: array[start : start + batch_size] for name, array in self.arrays.items()}


def input_types(specs: Iterable[InputSpec] | Iterable[TensorSpec]) -> InputTypes:
    """Return what a model takes, by input name, of its message or of what a server says."""
    return {spec.name: ArrayType(tuple(spec.shape), spec.data_type == DATA_TYPE_INT32) for spec in specs}


@contextmanager
def open_examples(path: str, inputs: InputTypes) -> Iterator[Examples]:
    """Open a file of examples for a model.

    Parameters
    ----------
    path : str
        A .npy, .npz or .csv file, or "-": CSV on standard input. A .npz holds an array for each input, by name, a .csv
        its numbers in columns; a .npy is for models with one input.
    inputs : mapping of str to ArrayType
        The model's inputs.

    Raises
    ------
    CommandError
        If the file does not hold what the model takes.
    OSError
        If it cannot be read.
    """
    suffix = "csv" if path == "-" else Path(path).suffix.lower().removeprefix(".")
    if suffix == "npz":
        yield ArrayExamples(_checked(path, _from_npz(path, inputs), inputs))
        return
    if suffix not in ("npy", "csv"):
        raise CommandError(
            f"{path}: expected a .npy, .npz or .csv file, or - for CSV on standard input", ExitCode.USAGE
        )
    if suffix == "npy":
        if len(inputs) != 1:
            raise CommandError(f"{path}: the model has {len(inputs)} inputs: give a .npz with {_listing(inputs)}")
        (name,) = inputs
        yield ArrayExamples(_checked(path, {name: _from_npy(path)}, inputs))
    elif path == "-":
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding=_ENCODING, newline="")
        yield CsvExamples(sys.stdin, "standard input", inputs)
    else:
        with Path(path).open(encoding=_ENCODING, newline="") as lines:
            yield CsvExamples(lines, path, inputs)


def read_labels(path: str) -> Array:
    """Return the whole numbers of a file: a .npy, the array `labels` of a .npz, or a .csv with one on each line.

    Raises
    ------
    CommandError
        If the file does not hold such.
    OSError
        If it cannot be read.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".csv":
        with open_examples(path, {"labels": ArrayType((1,))}) as examples:
            labels = np.concatenate([batch["labels"][:, 0] for batch in examples.minibatches(4096)])
    elif suffix == ".npz":
        labels = _from_npz(path, ["labels"])["labels"]
    elif suffix == ".npy":
        labels = _from_npy(path)
    else:
        raise CommandError(f"{path}: expected labels in a .npy, .npz or .csv file", ExitCode.USAGE)
    if labels.ndim != 1 or labels.dtype.kind not in "fiu" or (labels != np.rint(labels)).any():
        got = f"{labels.dtype} {shape_text(labels.shape)}"
        raise CommandError(f"{path}: got {got}, expected one whole number for each row")
    return labels


def _from_npy(path: str) -> Array:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError) as broken:
        raise CommandError(f"{path}: no .npy file of numbers: {broken}") from broken


def _from_npz(path: str, inputs: Iterable[str]) -> dict[str, Array]:
    try:
        # Opened here: NumPy leaves the file open if it is none.
        with Path(path).open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise CommandError(f"{path}: one array without a name, which a .npy holds: rename it")
            if not set(inputs) <= set(arrays):
                raise CommandError(f"{path}: holds {_listing(arrays)}, expected arrays named {_listing(inputs)}")
            return {name: arrays[name] for name in inputs}
    except (ValueError, EOFError, zipfile.BadZipFile) as broken:
        raise CommandError(f"{path}: no .npz file of numbers: {broken}") from broken


def _checked(path: str, arrays: dict[str, Array], inputs: InputTypes) -> dict[str, Array]:
    """Return the arrays with a batch axis, if they are what the model takes."""
    for name, (shape, integer) in inputs.items():
        array = arrays[name]
        where = f"{path}: input {name!r}"
        if array.dtype.kind not in ("iu" if integer else "fiub"):
            expected = "integers, which are row numbers of a table" if integer else "real numbers"
            raise CommandError(f"{where}: got {array.dtype}, expected {expected}")
        if array.shape == shape:
            arrays[name] = array = array[np.newaxis]
        if array.shape[-len(shape) :] != shape or array.ndim <= len(shape):
            raise CommandError(
                f"{where}: got shape {shape_text(array.shape)}, expected {shape_text(shape, batch=True)}"
            )
        if not array.size:
            raise CommandError(f"{where}: got no rows, shape {shape_text(array.shape)}")
    if len(lengths := {len(array) for array in arrays.values()}) > 1:
        raise CommandError(f"{path}: the arrays have different numbers of rows: {sorted(lengths)}")
    return arrays


def _listing(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "nothing"
