"""Examples from CSV text: one a line, the numbers of all inputs side by side."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from numbatch.cli.exits import CommandError
from numbatch.wire.layers import ArrayType
from numbatch.wire.tensors import Array, shape_text

Minibatch = Mapping[str, Array]

# What a model takes, by the name of its input.
InputTypes = Mapping[str, ArrayType]

# Whole numbers beyond are not all float64.
_LARGEST = 2**53


@dataclass(frozen=True)
class CsvExamples:
    """Rows of a CSV text, one example a line.

    Under a header that names them, `x[0],x[1],id`, columns may be in any order, beside others. Without one they are
    those of the inputs in the model's order, each in row-major order; so they are too where a model has one input and
    the header says something else.
    """

    lines: TextIO
    source: str
    inputs: InputTypes
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
        numbers = np.array(batch)
        arrays, start = {}, 0
        for name, (shape, integer) in self.inputs.items():
            end = start + math.prod(shape)
            array = numbers[:, start:end].reshape(-1, *shape)
            arrays[name] = array.astype(np.int64) if integer else array
            start = end
        return arrays

    def _numbers(self) -> Iterator[list[float]]:
        """Yield the numbers of each example, in the order of the model's inputs."""
        reader = csv.reader(self.lines, skipinitialspace=True)
        names = [name for name, (shape, _) in self.inputs.items() for _ in range(math.prod(shape))]
        row_numbers = [(i, name) for i, name in enumerate(names) if self.inputs[name].integer]
        places: Sequence[int] | None = None
        count, first = 0, True
        try:
            for cells in reader:
                if not any(cells):
                    continue
                if first and not any(map(_is_number, cells)):
                    first = False
                    places = self._places(cells)
                    continue
                first = False
                where = f"{self.source}, line {reader.line_num}"
                numbers = self._parsed(cells, places, where)
                for i, name in row_numbers:
                    if not numbers[i].is_integer() or abs(numbers[i]) > _LARGEST:
                        raise CommandError(f"{where}: {numbers[i]} is no row number, as input {name!r} takes them")
                count += 1
                yield numbers
        except (csv.Error, UnicodeDecodeError) as broken:
            raise CommandError(f"{self.source}, line {reader.line_num + 1}: no CSV text: {broken}") from broken
        if not count:
            raise CommandError(f"{self.source}: no rows of numbers")

    def _places(self, header: Sequence[str]) -> Sequence[int] | None:
        """Return the place of each number under a header that names them; None: they are in order."""
        places = {name.strip(): place for place, name in enumerate(header)}
        wanted = [
            next((spelling for spelling in spellings if spelling in places), spellings[0])
            for spellings in self._columns()
        ]
        missing = [name for name in wanted if name not in places]
        if not missing:
            return [places[name] for name in wanted]
        if len(self.inputs) == 1:
            return None
        expected = f"{_some(wanted)} in any order, or no header"
        raise CommandError(f"{self.source}: the header has no {missing[0]!r}; expected {expected}")

    def _columns(self) -> Iterator[tuple[str, ...]]:
        """Yield the names that the column of each number may have: "x[0]", of a single number "x" as well."""
        for name, (shape, _) in self.inputs.items():
            for index in np.ndindex(shape):
                indexed = name + "".join(f"[{i}]" for i in index)
                yield (indexed,) if math.prod(shape) > 1 else (indexed, name)

    def _parsed(self, cells: Sequence[str], places: Sequence[int] | None, where: str) -> list[float]:
        width = sum(math.prod(shape) for shape, _ in self.inputs.values())
        wanted = range(len(cells)) if places is None else places
        try:
            numbers = [float(cells[place]) for place in wanted]
        except IndexError:
            raise CommandError(f"{where}: got {_count(len(cells), 'cell')}, fewer than the header has") from None
        except ValueError:
            column = next(place for place in wanted if not _is_number(cells[place]))
            raise CommandError(f"{where}, column {column + 1}: {cells[column]!r} is not a number") from None
        if len(numbers) != width:
            each = ", ".join(f"input {name!r} {shape_text(shape)}" for name, (shape, _) in self.inputs.items())
            raise CommandError(f"{where}: got {_count(len(numbers), 'number')}, expected {width} for {each}")
        return numbers


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _some(names: Sequence[str]) -> str:
    return ",".join(names) if len(names) <= 6 else f"{','.join(names[:3])},...,{names[-1]}"
