"""The rows that requests bring: drawn from what a model takes, or read from a file."""

import csv
import math
import zipfile
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from numbatch.loadtest.errors import WorkloadError
from numbatch.loadtest.protocol import Tensor
from numbatch.wire.tensors import Array, shape_text

Rows = dict[str, Array]

_FLOATS = ("float16", "float32", "float64")
_INTEGERS = tuple(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
NUMERIC = (*_FLOATS, *_INTEGERS, "bool")


def generated(inputs: Sequence[Tensor], rows: int, seed: int, vocabulary: int = 1) -> Rows:
    """Draw rows: standard normal numbers, and whole numbers below `vocabulary`, as row numbers of lookup tables.

    A model does not say how long its tables are; with the default of 1 every row number is 0, which all have.
    """
    return {
        spec.name: _drawn(spec, (rows, *spec.shape), np.random.default_rng((seed, i)), vocabulary)
        for i, spec in enumerate(inputs)
    }


def _drawn(spec: Tensor, shape: tuple[int, ...], random: np.random.Generator, vocabulary: int) -> Array:
    if min(shape) < 0:
        raise WorkloadError(f"input {spec.name!r} has an axis of any length, which cannot be drawn: give data")
    if spec.data_type == "float32":
        return random.standard_normal(shape, dtype=np.float32)
    if spec.data_type in _FLOATS:
        return random.standard_normal(shape).astype(spec.data_type)
    if spec.data_type == "bool":
        return random.integers(2, size=shape, dtype=np.uint8).astype(bool)
    if spec.data_type in _INTEGERS:
        largest = int(np.iinfo(spec.data_type).max)
        return random.integers(min(vocabulary, largest), size=shape).astype(spec.data_type)
    raise WorkloadError(f"input {spec.name!r} is {spec.data_type}, which cannot be drawn")


def read_rows(path: Path, inputs: Sequence[Tensor]) -> Rows:
    """Read the rows of a file: .npy (memory-mapped) or .csv for one input, .npz or .parquet for any number by name.

    Raises
    ------
    WorkloadError
        It does not hold what the model takes.
    OSError
        It cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix not in (".npy", ".npz", ".csv", ".parquet"):
        raise WorkloadError(f"{path}: expected a .npy, .npz, .csv or .parquet file")
    if suffix == ".npz":
        return checked(read_npz(path, [spec.name for spec in inputs]), inputs, str(path))
    if suffix == ".parquet":
        return checked(_read_parquet(path, inputs), inputs, str(path))
    if len(inputs) != 1:
        names = ", ".join(repr(spec.name) for spec in inputs)
        raise WorkloadError(f"{path}: the model has {len(inputs)} inputs: give a .npz with {names}")
    array = _read_npy(path) if suffix == ".npy" else _read_csv(path, inputs[0])
    return checked({inputs[0].name: array}, inputs, str(path))


def read_npz(path: Path, names: Sequence[str]) -> Rows:
    """Return the arrays with these names."""
    try:
        # Opened here: NumPy leaves the file open if it is none.
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                raise WorkloadError(f"{path}: one array without a name, which a .npy holds: rename it")
            missing = [name for name in names if name not in arrays]
            if missing:
                raise WorkloadError(f"{path}: holds {', '.join(arrays) or 'nothing'}, and not {', '.join(missing)}")
            return {name: arrays[name] for name in names}
    except (ValueError, EOFError, zipfile.BadZipFile) as broken:
        if isinstance(broken, WorkloadError):
            raise
        raise WorkloadError(f"{path}: no .npz file of numbers: {broken}") from broken


def checked(arrays: Mapping[str, Any], inputs: Sequence[Tensor], where: str) -> Rows:
    """Return arrays as the rows of a model's inputs, or raise WorkloadError for what does not fit."""
    rows: Rows = {}
    for spec in inputs:
        if spec.name not in arrays:
            raise WorkloadError(f"{where}: no array for input {spec.name!r}")
        rows[spec.name] = _fitted(np.asanyarray(arrays[spec.name]), spec, f"{where}: input {spec.name!r}")
    if len(lengths := {len(array) for array in rows.values()}) > 1:
        raise WorkloadError(f"{where}: the arrays have different numbers of rows: {sorted(lengths)}")
    return rows


def _fitted(array: Array, spec: Tensor, where: str) -> Array:
    if array.dtype.kind not in "fiub":
        raise WorkloadError(f"{where}: got {array.dtype}, expected numbers")
    if not _is_shaped(array.shape[1:], spec.shape) or not len(array):
        expected = shape_text(("N", *("any" if axis < 0 else axis for axis in spec.shape)))  # type: ignore[arg-type]
        raise WorkloadError(f"{where}: got shape {shape_text(array.shape)}, expected {expected}")
    if spec.data_type not in NUMERIC:
        raise WorkloadError(f"{where}: is {spec.data_type}, which cannot be sent")
    if array.dtype == spec.data_type:
        return array  # which may be memory-mapped: messages are made of slices
    with np.errstate(invalid="ignore", over="ignore"):
        fitted: Array = array.astype(spec.data_type)
    if spec.data_type not in _FLOATS and (fitted != array).any():
        raise WorkloadError(f"{where}: expected whole numbers that {spec.data_type} can hold")
    return fitted


def _is_shaped(axes: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return len(axes) == len(expected) and all(want in (axis, -1) for axis, want in zip(axes, expected, strict=True))


def _read_npy(path: Path) -> Array:
    try:
        return np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError) as broken:
        raise WorkloadError(f"{path}: no .npy file of numbers: {broken}") from broken


def _read_csv(path: Path, spec: Tensor) -> Array:
    width = math.prod(spec.shape)
    numbers: list[list[float]] = []
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, skipinitialspace=True)
        for cells in reader:
            try:
                row = list(map(float, cells))
            except ValueError as wrong:
                if reader.line_num == 1:
                    continue  # a header
                raise WorkloadError(f"{path}, line {reader.line_num}: {wrong}") from None
            if row and len(row) != width:
                raise WorkloadError(f"{path}, line {reader.line_num}: got {len(row)} numbers, expected {width}")
            if row:
                numbers.append(row)
    return np.array(numbers).reshape(-1, *spec.shape)


def _read_parquet(path: Path, inputs: Sequence[Tensor]) -> Rows:
    try:
        parquet = import_module("pyarrow.parquet")  # of whoever has such files
    except ModuleNotFoundError as missing:
        raise WorkloadError(f"{path}: pyarrow reads .parquet files, and is not installed") from missing
    try:
        table = parquet.read_table(path)
    except ValueError as broken:  # of which pyarrow's own errors are
        raise WorkloadError(f"{path}: no .parquet file: {broken}") from broken
    if any(column.null_count for column in table.columns):
        raise WorkloadError(f"{path}: a number is missing")
    if all(spec.name in table.column_names for spec in inputs):
        return {spec.name: _lists(table[spec.name].to_pylist(), spec, f"{path}: {spec.name!r}") for spec in inputs}
    if len(inputs) != 1:
        names = ", ".join(repr(spec.name) for spec in inputs)
        raise WorkloadError(f"{path}: expected the columns {names}, got {', '.join(table.column_names)}")
    # One number a column, as in a table of features.
    features = np.stack([column.to_numpy() for column in table.columns], axis=1)
    if features.shape[1] != math.prod(inputs[0].shape):
        expected = math.prod(inputs[0].shape)
        raise WorkloadError(f"{path}: got {features.shape[1]} columns, expected {expected}, or one {inputs[0].name!r}")
    return {inputs[0].name: features.reshape(-1, *inputs[0].shape)}


def _lists(column: list[Any], spec: Tensor, where: str) -> Array:
    try:
        array = np.array(column)
    except ValueError:
        raise WorkloadError(f"{where} has lists of different lengths") from None
    # A matrix may be a list of its numbers.
    is_flat = -1 not in spec.shape and array.size == len(column) * math.prod(spec.shape)
    return array.reshape(-1, *spec.shape) if is_flat else array
