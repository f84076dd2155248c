"""Reading examples from files: .npy memory-mapped, .npz, and .csv line by line. Nothing reads a long file at once."""

import csv
import io
import math
import sys
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

import numpy as np
import numpy.typing as npt

from numbatch.cli.exits import CommandError, ExitCode
from numbatch.wire.tensors import shape_text

Array = npt.NDArray[Any]
Minibatch = Mapping[str, Array]

# A byte order mark, as spreadsheets write it, is no part of the first cell.
_ENCODING = "utf-8-sig"

# The shape of one example, by the name of the model's input.
InputShapes = Mapping[str, tuple[int, ...]]


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


@dataclass(frozen=True)
class CsvExamples:
    """Rows of a CSV text, one example a line, its numbers in row-major order."""

    lines: TextIO
    source: str
    input_name: str
    shape: tuple[int, ...]
    rows: None = None

    def minibatches(self, batch_size: int) -> Iterator[Minibatch]:
        """Yield the lines, parsed as they are asked for."""
        batch: list[list[float]] = []
        for numbers in self._numbers():
            batch.append(numbers)
            if len(batch) == batch_size:
                yield self._minibatch(batch)
                batch = []
        if batch:
            yield self._minibatch(batch)

    def _minibatch(self, batch: list[list[float]]) -> Minibatch:
        return {self.input_name: np.array(batch).reshape(-1, *self.shape)}

    def _numbers(self) -> Iterator[list[float]]:
        width = math.prod(self.shape)
        reader = csv.reader(self.lines, skipinitialspace=True)
        count, first = 0, True
        try:
            for cells in reader:
                if not any(cells):
                    continue
                if first and not any(map(_is_number, cells)):
                    first = False  # a header
                    continue
                first = False
                where = f"{self.source}, line {reader.line_num}"
                try:
                    numbers = list(map(float, cells))
                except ValueError:
                    column, cell = next((i, cell) for i, cell in enumerate(cells, 1) if not _is_number(cell))
                    raise CommandError(f"{where}, column {column}: {cell!r} is not a number") from None
                if len(numbers) != width:
                    what = f"{width} for input {self.input_name!r} {shape_text(self.shape)}"
                    raise CommandError(f"{where}: got {_count(len(numbers), 'number')}, expected {what}")
                count += 1
                yield numbers
        except (csv.Error, UnicodeDecodeError) as broken:
            raise CommandError(f"{self.source}, line {reader.line_num + 1}: no CSV text: {broken}") from broken
        if not count:
            raise CommandError(f"{self.source}: no rows of numbers")


@dataclass(frozen=True)
class RandomExamples:
    """Rows of standard normal numbers; the same seed gives the same rows, in minibatches of any size."""

    inputs: InputShapes
    rows: int
    seed: int

    def minibatches(self, batch_size: int) -> Iterator[Minibatch]:
        """Yield numbers as they are drawn, of a stream for each input."""
        streams = {name: np.random.default_rng((self.seed, i)) for i, name in enumerate(self.inputs)}
        for start in range(0, self.rows, batch_size):
            rows = min(batch_size, self.rows - start)
            yield {
                name: streams[name].standard_normal((rows, *shape), dtype=np.float32)
                for name, shape in self.inputs.items()
            }


@contextmanager
def open_examples(path: str, inputs: InputShapes) -> Iterator[Examples]:
    """Open a file of examples for a model.

    Parameters
    ----------
    path : str
        A .npy, .npz or .csv file, or "-": CSV on standard input. A .npz holds an array for each input, by name; the
        other two are for models with one input.
    inputs : mapping of str to tuple of int
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
    if len(inputs) != 1:
        raise CommandError(f"{path}: the model has {len(inputs)} inputs: give a .npz with {_listing(inputs)}")
    [(name, shape)] = inputs.items()
    if suffix == "npy":
        yield ArrayExamples(_checked(path, {name: _from_npy(path)}, inputs))
    elif path == "-":
        if isinstance(sys.stdin, io.TextIOWrapper):
            sys.stdin.reconfigure(encoding=_ENCODING, newline="")
        yield CsvExamples(sys.stdin, "standard input", name, shape)
    else:
        with Path(path).open(encoding=_ENCODING, newline="") as lines:
            yield CsvExamples(lines, path, name, shape)


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
        with open_examples(path, {"labels": (1,)}) as examples:
            labels = np.concatenate([batch["labels"][:, 0] for batch in examples.minibatches(4096)])
    elif suffix == ".npz":
        labels = _from_npz(path, {"labels": ()})["labels"]
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


def _from_npz(path: str, inputs: InputShapes) -> dict[str, Array]:
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


def _checked(path: str, arrays: dict[str, Array], inputs: InputShapes) -> dict[str, Array]:
    """Return the arrays with a batch axis, if they are what the model takes."""
    for name, shape in inputs.items():
        array = arrays[name]
        where = f"{path}: input {name!r}"
        if array.dtype.kind not in "fiub":
            raise CommandError(f"{where}: got {array.dtype}, expected real numbers")
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


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _listing(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "nothing"
