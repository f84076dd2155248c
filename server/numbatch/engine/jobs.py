"""Minibatches that run together: gathered, computed in one call, and their outputs cut apart again without a copy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from numbatch.engine.selection import Selection
from numbatch.wire.tensors import Array, Float32Array

if TYPE_CHECKING:
    from numbatch.engine.loaded import LoadedModel


class Job:
    """One minibatch: checked, and yet to be computed. Made by `LoadedModel.prepare`.

    Attributes
    ----------
    model : LoadedModel
        What computes it.
    selection : Selection
        The layers that are wanted. Jobs of the same model and selection can run together.
    x : ndarray of float32
        The input, row-major.
    axes : tuple of int
        Its batch axes.
    rows : int
        Its examples: the product of the batch axes.
    """

    __slots__ = ("_block", "_first", "axes", "model", "rows", "selection", "x")

    def __init__(
        self, model: "LoadedModel", selection: Selection, x: Array, axes: tuple[int, ...], rows: int, *, whole: bool
    ) -> None:
        self.model = model
        self.selection = selection
        self.x = x
        self.axes = axes
        self.rows = rows
        # The outputs of the batch that it was in, and which of the batch's rows are its own. Parts of a job may run at
        # the same time: what they write to is there before.
        self._block: Block | None = None if whole else Block(np.empty(rows * selection.elements, np.float32), rows)
        self._first = 0

    @property
    def size_bytes(self) -> int:
        """The size of its input and of all its outputs."""
        return self.x.nbytes + 4 * self.rows * self.selection.elements

    @property
    def outputs(self) -> list[tuple[str, Float32Array]]:
        """Layer names and outputs, in the order asked for, once the job has run."""
        assert self._block is not None  # it has run
        found = []
        for spec, at, width in self.selection.places:
            rows = self._block.rows_of(at, width, self._first, self._first + self.rows)
            found.append((spec.name, rows.reshape(self.axes + spec.shape)))
        return found

    def run(self, *, alone: bool = False) -> None:
        """Compute all of it.

        Parameters
        ----------
        alone : bool
            Whether to leave the helpers asleep, as is best for what is quick: to wake one takes some 20 us.
        """
        outputs = np.empty(self.rows * self.selection.elements, np.float32)
        self.model.compute(self.selection, self.x, self.rows, outputs, alone=alone)
        self._block, self._first = Block(outputs, self.rows), 0

    def take(self, block: "Block", first: int, start: int, stop: int) -> None:
        """Take the outputs of rows `start` to `stop`, which are those from `first` on in the block."""
        if stop - start == self.rows:
            self._block, self._first = block, first
            return
        assert self._block is not None  # a job that runs in pieces
        for _, at, width in self.selection.places:
            own = self._block.rows_of(at, width, start, stop)
            own[:] = block.rows_of(at, width, first, first + stop - start)


class Block(NamedTuple):
    """The outputs of a batch: one layer after the other, each for all rows."""

    data: Float32Array
    rows: int

    def rows_of(self, at: int, width: int, start: int, stop: int) -> Float32Array:
        """Return some rows of a layer, of so many elements each, that begins at so many elements of one row."""
        begin = at * self.rows
        return self.data[begin + start * width : begin + stop * width]


class Slice(NamedTuple):
    """Rows of a job that run now."""

    job: Job
    start: int
    stop: int


def run_together(slices: Sequence[Slice]) -> None:
    """Compute rows of jobs, all of one model and selection, in one call."""
    model, selection = slices[0].job.model, slices[0].job.selection
    rows = sum(stop - start for _, start, stop in slices)
    outputs = np.empty(rows * selection.elements, np.float32)
    if len(slices) == 1:
        model.compute(selection, _rows_of(*slices[0]), rows, outputs)
    else:
        with model.gathering(rows) as gathered:
            np.concatenate([_rows_of(*each) for each in slices], out=gathered)
            model.compute(selection, gathered, rows, outputs)
    block = Block(outputs, rows)
    first = 0
    for job, start, stop in slices:
        job.take(block, first, start, stop)
        first += stop - start


def _rows_of(job: Job, start: int, stop: int) -> Array:
    return job.x.reshape(job.rows, -1)[start:stop]
