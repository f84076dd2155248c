"""What `numbatch infer` shows at a terminal: the first rows, as many numbers of each as fit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt

from numbatch.wire.tensors import shape_text

# As many rows as a person reads.
PREVIEW_ROWS = 20


def preview(outputs: Mapping[str, npt.NDArray[Any]], width: int) -> str:
    """Return the outputs of some rows as text.

    Parameters
    ----------
    outputs : mapping of str to ndarray
        By layer name; the first axis is that of the rows.
    width : int
        Of the terminal, in characters.
    """
    return "\n".join(line for name, array in outputs.items() for line in _layer(name, array, width))


def _layer(name: str, array: npt.NDArray[Any], width: int) -> list[str]:
    rows = [[f"{number:.3g}" for number in row] for row in array.reshape(len(array), -1)]
    cell = max(len(text) for row in rows for text in row)
    label = len(str(len(rows) - 1))
    fitting = max(1, (width - label - len("  ...") - 2) // (cell + 2))
    return [
        f"{name} {shape_text(array.shape[1:])}",
        *(_line(i, row, label, cell, fitting) for i, row in enumerate(rows)),
    ]


def _line(number: int, row: Sequence[str], label: int, cell: int, fitting: int) -> str:
    shown = "".join(f"  {text:>{cell}}" for text in row[:fitting])
    return f"  {number:>{label}}{shown}{'  ...' if len(row) > fitting else ''}"
