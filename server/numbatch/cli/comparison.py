"""How far the outputs of one model are from those of another on the same rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from numbatch.cli.examples import Minibatch
from numbatch.cli.exits import CommandError
from numbatch.cli.layer_pairs import LayerPair
from numbatch.wire.tensors import shape_text

if TYPE_CHECKING:
    from numbatch.engine import LoadedModel

Array = npt.NDArray[Any]


@dataclass
class Difference:
    """How far arrays are from those of a baseline, gathered minibatch by minibatch in float64.

    Two NaN, or two equal infinities, are no difference; one alone is an infinite one.

    Attributes
    ----------
    max_abs : float
        The largest difference of two elements.
    max_relative : float
        The largest difference by the baseline's element, where that is not 0.
    """

    max_abs: float = 0.0
    max_relative: float = 0.0
    _elements: int = 0
    _squares: float = 0.0
    _baseline_squares: float = 0.0
    _vectors: int = 0
    _same_largest: int = 0

    def add(self, baseline: Array, candidate: Array) -> None:
        """Take the outputs of a minibatch, of one shape."""
        a, b = np.asarray(baseline, np.float64), np.asarray(candidate, np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            difference = np.abs(b - a)
            difference[np.isnan(difference)] = np.inf
            difference[(a == b) | (np.isnan(a) & np.isnan(b))] = 0.0
            relative = difference / np.abs(a)
        relative[np.isnan(relative)] = np.inf
        relative[(difference == 0) | (a == 0)] = 0.0
        self.max_abs = max(self.max_abs, float(difference.max()))
        self.max_relative = max(self.max_relative, float(relative.max()))
        self._elements += a.size
        self._squares += float(np.sum(difference**2))
        self._baseline_squares += float(np.sum(a**2))
        same = a.argmax(-1) == b.argmax(-1)
        self._vectors += same.size
        self._same_largest += int(same.sum())

    @property
    def rms(self) -> float:
        """The root of the differences' mean square."""
        return math.sqrt(self._squares / self._elements)

    @property
    def relative_rms(self) -> float | None:
        """The same by the root mean square of the baseline; None where that is 0 or not finite."""
        if self._squares == 0:
            return 0.0
        scale = self._baseline_squares
        return math.sqrt(self._squares / scale) if scale and math.isfinite(scale) else None

    @property
    def same_largest(self) -> float:
        """How often the largest element along the last axis is at the same place in both: 0 to 1."""
        return self._same_largest / self._vectors


class Comparison:
    """Takes the same rows through two models.

    Parameters
    ----------
    baseline, candidate : LoadedModel
        The models, with the same shapes of inputs.
    pairs : sequence of LayerPair
        What to compare.
    labels : ndarray of int, optional
        The right unit for each row.

    Attributes
    ----------
    rows : int
        How many there were so far.
    differences : list of Difference
        One for each pair.

    Raises
    ------
    CommandError
        If there are labels, but not one output with several units on one axis.
    """

    def __init__(
        self,
        baseline: "LoadedModel",
        candidate: "LoadedModel",
        pairs: Sequence[LayerPair],
        labels: Array | None = None,
    ) -> None:
        self.rows = 0
        self.differences = [Difference() for _ in pairs]
        self._models = (baseline, candidate)
        self._pairs = pairs
        self._labels = labels
        self._right = [0, 0]
        outputs = [position for position, pair in enumerate(pairs) if pair.is_output]
        self._output = outputs[0]
        shapes = [pairs[position].shape for position in outputs]
        if labels is not None and (len(shapes) > 1 or len(shapes[0]) > 1 or shapes[0] == (1,)):
            got = ", ".join(map(shape_text, shapes))
            raise CommandError(f"labels: the model's outputs are {got}, expected one of several units, such as [10]")

    def add(self, minibatch: Minibatch) -> None:
        """Run both models over a minibatch, whose arrays have the names of the baseline's inputs."""
        first, second = (self._outputs(which, minibatch) for which in (0, 1))
        for difference, a, b in zip(self.differences, first, second, strict=True):
            difference.add(a, b)
        rows = first[0].size // math.prod(self._pairs[0].shape)
        if self._labels is not None:
            labels = self._labels[self.rows : self.rows + rows]
            for which, outputs in enumerate((first, second)):
                found = outputs[self._output].argmax(-1).reshape(-1)
                self._right[which] += int((found[: len(labels)] == labels).sum())
        self.rows += rows

    def accuracies(self) -> list[float | None]:
        """Return how often each model's largest output is at the row's label, 0 to 1; None without labels.

        Raises
        ------
        CommandError
            If there is not a label for each row.
        """
        if self._labels is None:
            return [None, None]
        if len(self._labels) != self.rows:
            raise CommandError(f"labels: got {len(self._labels)}, expected one for each of {self.rows} rows")
        return [right / self.rows for right in self._right]

    def _outputs(self, which: int, minibatch: Minibatch) -> list[Array]:
        model = self._models[which]
        names = [spec.name for spec in model.summary.inputs]
        ours = [spec.name for spec in self._models[0].summary.inputs]
        inputs = {name: minibatch[our] for name, our in zip(names, ours, strict=True)}
        layers = [(pair.baseline, pair.candidate)[which] for pair in self._pairs]
        outputs = model.infer(inputs, layers=list(dict.fromkeys(layers)))
        return [outputs[layer] for layer in layers]
