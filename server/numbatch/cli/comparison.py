"""How far the outputs of one model are from those of another on the same rows."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from numbatch.cli.csv_examples import Minibatch
from numbatch.cli.exits import CommandError
from numbatch.cli.layer_pairs import LayerPair
from numbatch.convert.difference import Difference
from numbatch.wire.tensors import Array, shape_text

if TYPE_CHECKING:
    from numbatch.engine import LoadedModel


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
