"""Whether answers are right: the same bits as expected, of every answer.

Answers of a server that is right are the same bytes each time, so once an answer to a message was taken apart and
compared, the next one to that message is compared as a whole, which costs next to nothing. Of servers whose answers
depend on what else they compute, numbers may be let differ a little; their answers come in a few forms, which are known
then.
"""

from collections.abc import Mapping

import numpy as np

from numbatch.loadtest.protocol import Answer
from numbatch.wire.tensors import Array, shape_text

Outputs = Mapping[str, Array]


# Forms of the right answer to a message that are known by their bytes.
_KNOWN = 4


def difference(expected: Outputs, got: Outputs, tolerance: float = 0.0) -> str | None:
    """Return in a few words how outputs differ from those expected; None if every bit is the same.

    Parameters
    ----------
    expected, got : mapping of str to ndarray
        By name.
    tolerance : float
        By how much numbers may differ, as a share of the largest that is expected of their output.
    """
    if set(expected) != set(got):
        return f"outputs {', '.join(sorted(got)) or 'none'} instead of {', '.join(sorted(expected))}"
    for name, right in expected.items():
        array = got[name]
        if array.shape != right.shape:
            return f"output {name!r} has shape {shape_text(array.shape)} instead of {shape_text(right.shape)}"
        if array.dtype != right.dtype:
            return f"output {name!r} is {array.dtype} instead of {right.dtype}"
        if array.tobytes() == right.tobytes():
            continue
        # Bits, not values: a NaN equals itself, and 0 is not -0.
        wrong = np.ascontiguousarray(array).view(f"u{array.itemsize}") != np.ascontiguousarray(right).view(
            f"u{right.itemsize}"
        )
        if tolerance:
            wrong &= ~_near(array, right, tolerance)
        if not wrong.any():
            continue
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        where = f"{name}[{', '.join(map(str, place))}]"
        first = f"{where} is {array[place]} instead of {right[place]}"
        return f"{int(wrong.sum())} of {array.size} numbers differ; {first}"
    return None


def _near(array: Array, right: Array, tolerance: float) -> Array:
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.abs(right, dtype=np.float64, where=np.isfinite(right), out=np.zeros(right.shape)).max(initial=0.0)
        near: Array = np.abs(array.astype(np.float64) - right) <= tolerance * largest
    return near


class Verifier:
    """Compares answers with the rows that are expected.

    Parameters
    ----------
    expected : mapping of str to ndarray
        By output, the rows of all messages, one after the other.
    bounds : sequence of int
        Message i is about the rows from `bounds[i]` to `bounds[i + 1]`.
    tolerance : float
        As for `difference`.
    """

    def __init__(self, expected: Outputs, bounds: Array, tolerance: float = 0.0) -> None:
        self._expected, self._bounds, self._tolerance = expected, bounds, tolerance
        self._known: dict[int, list[bytes]] = {}  # by message, answers that were right

    def is_known(self, message: int, raw: bytes) -> bool:
        """Return whether these bytes were found right before: most answers of most runs."""
        return raw in self._known.get(message, ())

    def problem(self, message: int, raw: bytes, answer: Answer) -> str | None:
        """Take an answer apart, and return what is wrong with it, or None."""
        wrong = difference(self.expected(message), answer.outputs, self._tolerance)
        known = self._known.setdefault(message, [])
        if wrong is None and len(known) < _KNOWN:
            known.append(raw)
        return wrong

    def expected(self, message: int) -> dict[str, Array]:
        """Return the outputs that are right."""
        start, end = self._bounds[message], self._bounds[message + 1]
        return {name: np.asarray(rows[start:end]) for name, rows in self._expected.items()}
