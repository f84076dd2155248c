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

    __slots__ = ("_outputs", "axes", "model", "rows", "selection", "x")

    def __init__(
        self, model: "LoadedModel", selection: Selection, x: Array, axes: tuple[int, ...], rows: int, *, whole: bool
    ) -> None:
        self.model = model
        self.selection = selection
        self.x = x
        self.axes = axes
        self.rows = rows
        # Parts of a job may run at the same time: what they write to is there before.
        self._outputs = None if whole else [np.empty((rows, *spec.shape), np.float32) for spec in selection.outputs]

    @property
    def size_bytes(self) -> int:
        """The size of its input and of all its outputs."""
        return self.x.nbytes + 4 * self.rows * self.selection.elements

    @property
    def outputs(self) -> list[tuple[str, Float32Array]]:
        """Layer names and outputs, in the order asked for, once the job has run."""
        assert self._outputs is not None  # it has run
        return [
            (spec.name, output.reshape(self.axes + spec.shape))
            for spec, output in zip(self.selection.outputs, self._outputs, strict=True)
        ]

    def take(self, outputs: list[Float32Array], start: int, stop: int) -> None:
        """Take the outputs of some rows."""
        if stop - start == self.rows:
            self._outputs = outputs
            return
        assert self._outputs is not None  # a job that runs in pieces
        for own, new in zip(self._outputs, outputs, strict=True):
            own[start:stop] = new


class Slice(NamedTuple):
    """Rows of a job that run now."""

    job: Job
    start: int
    stop: int


def run_together(slices: Sequence[Slice], *, alone: bool = False) -> None:
    """Compute rows of jobs, all of one model and selection, in one call.

    Parameters
    ----------
    slices : sequence of Slice
        One or more.
    alone : bool
        Whether to leave the helpers asleep, as is best for what is quick: to wake one takes some 20 us.
    """
    job, start, stop = slices[0]
    model, selection = job.model, job.selection
    if len(slices) == 1:
        rows = stop - start
        x = job.x if rows == job.rows else _rows_of(job, start, stop)
        outputs = np.empty(rows * selection.elements, np.float32)
        model.compute(selection, x, rows, outputs, alone=alone)
        job.take(_by_layer(selection, outputs, rows, 0, rows), start, stop)
        return
    rows = sum(stop - start for _, start, stop in slices)
    outputs = np.empty(rows * selection.elements, np.float32)
    with model.gathering(rows) as gathered:
        np.concatenate([_rows_of(*each) for each in slices], out=gathered)
        model.compute(selection, gathered, rows, outputs, alone=alone)
    at = 0
    for job, start, stop in slices:
        end = at + stop - start
        job.take(_by_layer(selection, outputs, rows, at, end), start, stop)
        at = end


def _rows_of(job: Job, start: int, stop: int) -> Array:
    return job.x.reshape(job.rows, -1)[start:stop]


def _by_layer(selection: Selection, outputs: Float32Array, rows: int, start: int, stop: int) -> list[Float32Array]:
    """Return some rows of each layer's outputs; the layers lie one after the other, each for all rows."""
    parts = []
    at = 0
    for spec in selection.outputs:
        width = spec.elements
        parts.append(outputs[at + start * width : at + stop * width].reshape(stop - start, *spec.shape))
        at += rows * width
    return parts
