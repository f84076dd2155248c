"""How long a model takes on this machine, measured in a fraction of a second."""

import math
import time
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from numbatch.convert.random_rows import RandomRows, random_inputs

if TYPE_CHECKING:
    from numbatch.engine import LoadedModel

_SECONDS = 0.2
_LEAST_CALLS = 3

# As large as a batch of `numbatch serve` may be by default; of wide rows or slow models fewer.
_LARGE_BATCH = 1024
_MOST_BYTES = 2**26


class Timing(NamedTuple):
    """Batches of so many rows, measured.

    Attributes
    ----------
    rows : int
        Of a batch.
    seconds_per_row : float
        The median of the calls, by the rows.
    calls : int
        How many were measured.
    """

    rows: int
    seconds_per_row: float
    calls: int


def measure(model: "LoadedModel", clock: Callable[[], float] = time.perf_counter) -> list[Timing]:
    """Run a model on random rows, one at a time and in a large batch, each for a fifth of a second.

    The large batch has 1024 rows, or fewer, down to 1, where three calls would take longer or a batch 64 MiB. Only its
    outputs are asked for.
    """
    one = _measure(model, 1, clock)
    most = min(_LARGE_BATCH, _MOST_BYTES // _row_bytes(model), int(_SECONDS / _LEAST_CALLS / one.seconds_per_row))
    rows = 1 << (max(1, most).bit_length() - 1)
    return [one] if rows == 1 else [one, _measure(model, rows, clock)]


def _measure(model: "LoadedModel", rows: int, clock: Callable[[], float]) -> Timing:
    (batch,) = RandomRows(random_inputs(model.message(include_weights=False)), rows, 0).minibatches(rows)
    outputs = list(model.summary.outputs)
    model.infer(batch, layers=outputs)
    times: list[float] = []
    started = clock()
    while len(times) < _LEAST_CALLS or clock() - started < _SECONDS:
        before = clock()
        model.infer(batch, layers=outputs)
        times.append(clock() - before)
    return Timing(rows, median(times) / rows, len(times))


def _row_bytes(model: "LoadedModel") -> int:
    """Return the bytes of the inputs and outputs of a row."""
    summary = model.summary
    outputs = [math.prod(layer.output_shape) for layer in summary.layers if layer.name in summary.outputs]
    return 4 * (sum(spec.elements for spec in summary.inputs) + sum(outputs))
