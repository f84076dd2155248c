"""Whether answers are right: the same bits as expected, of every answer.

Answers of a server that is right are the same bytes each time, so once an answer to a message was taken apart and
compared, the next one to that message is compared as a whole, which costs next to nothing.
"""

from collections.abc import Mapping

import numpy as np

from numbatch.loadtest.protocol import Answer
from numbatch.wire.tensors import Array, shape_text

Outputs = Mapping[str, Array]


def difference(expected: Outputs, got: Outputs) -> str | None:
    """Return in a few words how outputs differ from those expected; None if every bit is the same."""
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
        bits = array.view(f"u{array.itemsize}") != np.ascontiguousarray(right).view(f"u{right.itemsize}")
        place = tuple(int(i) for i in np.argwhere(bits)[0])
        where = f"{name}[{', '.join(map(str, place))}]"
        first = f"{where} is {array[place]} instead of {right[place]}"
        return f"{int(bits.sum())} of {array.size} numbers differ; {first}"
    return None


class Verifier:
    """Compares answers with the rows that are expected.

    Parameters
    ----------
    expected : mapping of str to ndarray
        By output, the rows of all messages, one after the other.
    bounds : sequence of int
        Message i is about the rows from `bounds[i]` to `bounds[i + 1]`.
    """

    def __init__(self, expected: Outputs, bounds: Array) -> None:
        self._expected, self._bounds = expected, bounds
        self._known: dict[int, bytes] = {}  # by message, an answer that was right

    def is_known(self, message: int, raw: bytes) -> bool:
        """Return whether these bytes were found right before: most answers of most runs."""
        return self._known.get(message) == raw

    def problem(self, message: int, raw: bytes, answer: Answer) -> str | None:
        """Take an answer apart, and return what is wrong with it, or None."""
        wrong = difference(self.expected(message), answer.outputs)
        if wrong is None:
            self._known[message] = raw
        return wrong

    def expected(self, message: int) -> dict[str, Array]:
        """Return the outputs that are right."""
        start, end = self._bounds[message], self._bounds[message + 1]
        return {name: np.asarray(rows[start:end]) for name, rows in self._expected.items()}
