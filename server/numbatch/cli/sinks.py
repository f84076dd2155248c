"""Where outputs go: .npy, .npz and .csv files, JSON lines, a table. Each takes one minibatch's outputs after the other.

A file appears under its name only when it is complete: it is written beside it and renamed, and removed if anything
fails.
"""

import csv
import json
import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TextIO

import numpy as np
import numpy.typing as npt

from numbatch.cli.exits import CommandError, ExitCode

Array = npt.NDArray[Any]
Outputs = Mapping[str, Array]


class Sink(Protocol):
    """Takes the outputs of one minibatch after the other."""

    def write(self, outputs: Outputs) -> None:
        """Take the outputs of a minibatch, by layer name; the first axis of each is that of the rows."""


class NpyFile:
    """A .npy file that grows by rows; its header is written again when their number is known."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._array: Array = np.empty(0)
        self._rows = 0

    def append(self, array: Array) -> None:
        """Write rows; all of one type, and one shape but for the first axis."""
        if not self._rows:
            self._array = array[:0]
            self._write_header()
        self._rows += len(array)
        self._file.write(np.ascontiguousarray(array).data)

    def finish(self) -> None:
        """Write the number of rows into the header. NumPy leaves room there for an array to grow."""
        end = self._file.tell()
        self._file.seek(0)
        self._write_header()
        self._file.seek(end)

    def _write_header(self) -> None:
        header = np.lib.format.header_data_from_array_1_0(self._array)
        header["shape"] = (self._rows, *self._array.shape[1:])
        np.lib.format.write_array_header_1_0(self._file, header)


class _NpySink:
    def __init__(self, files: Mapping[str, NpyFile]) -> None:
        self._files = files

    def write(self, outputs: Outputs) -> None:
        for name, file in self._files.items():
            file.append(outputs[name])


class CsvSink:
    """Writes a line for each row: the elements of all layers side by side, under a header such as `probabilities[3]`.

    Numbers are the shortest that read back as the same float32.
    """

    def __init__(self, text: TextIO) -> None:
        self._writer = csv.writer(text, lineterminator="\n")
        self._has_header = False

    def write(self, outputs: Outputs) -> None:
        """Write one line for each row."""
        if not self._has_header:
            self._writer.writerow(
                _column(name, index) for name, a in outputs.items() for index in np.ndindex(a.shape[1:])
            )
            self._has_header = True
        columns = np.concatenate([array.reshape(len(array), -1) for array in outputs.values()], axis=1)
        self._writer.writerows(columns.astype(str).tolist())


class JsonLinesSink:
    """Writes a JSON object for each row: `{"row": 0, "outputs": {"probabilities": [...]}}`."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._row = 0

    def write(self, outputs: Outputs) -> None:
        """Write one line for each row."""
        for values in zip(*(map(_json_numbers, array) for array in outputs.values()), strict=True):
            line = {"row": self._row, "outputs": dict(zip(outputs, values, strict=True))}
            self._text.write(json.dumps(line) + "\n")
            self._row += 1


def output_format(path: str, layers: Sequence[str]) -> str:
    """Return which format a file's name asks for: "npy", "npz" or "csv".

    Raises
    ------
    CommandError
        If it is none of them, or cannot hold so many layers.
    """
    suffix = Path(path).suffix.lower().removeprefix(".")
    if suffix not in ("npy", "npz", "csv"):
        raise CommandError(f"--output {path}: expected a name that ends in .npy, .npz or .csv", ExitCode.USAGE)
    if suffix == "npy" and len(layers) > 1:
        raise CommandError(
            f"--output {path}: a .npy holds one layer; for {len(layers)} take .npz or .csv", ExitCode.USAGE
        )
    return suffix


@contextmanager
def open_file_sink(path: str, layers: Sequence[str]) -> Iterator[Sink]:
    """Write a file; what it was before is replaced when the block ends, and only if it ends well."""
    suffix = output_format(path, layers)
    with replaced(Path(path)) as partial:
        if suffix == "csv":
            with partial.open("w", encoding="utf-8", newline="") as text:
                yield CsvSink(text)
        elif suffix == "npy":
            with _npy_files({layers[0]: partial}) as sink:
                yield sink
        else:
            with tempfile.TemporaryDirectory(prefix=f"{partial.name}-", dir=partial.parent) as folder:
                parts = {name: Path(folder) / str(i) for i, name in enumerate(layers)}
                with _npy_files(parts) as sink:
                    yield sink
                with zipfile.ZipFile(partial, "w") as archive:
                    for name, part in parts.items():
                        archive.write(part, f"{name}.npy")


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Give the name of a file to write, which becomes `path` if the block ends well and is removed if not."""
    if path.is_dir():
        raise CommandError(f"{path}: is a folder")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _npy_files(paths: Mapping[str, Path]) -> Iterator[_NpySink]:
    with ExitStack() as stack:
        files = {name: NpyFile(stack.enter_context(path.open("wb"))) for name, path in paths.items()}
        yield _NpySink(files)
        for file in files.values():
            file.finish()


def _column(name: str, index: tuple[int, ...]) -> str:
    return name + "".join(f"[{i}]" for i in index)


def _json_numbers(array: Array) -> Any:
    """Return an array as lists of numbers, the shortest that read back as the same float32; see `json_number`."""
    if array.ndim > 1 or not np.isfinite(array).all():
        return [_json_numbers(part) if array.ndim > 1 else json_number(part) for part in array]
    return array.astype(str).astype(np.float64).tolist()


def json_number(number: np.floating[Any]) -> float | str:
    """Return a number for JSON; those that JSON lacks are "NaN", "Infinity" and "-Infinity", as in protobuf's JSON."""
    if np.isnan(number):
        return "NaN"
    if np.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return float(str(number))
