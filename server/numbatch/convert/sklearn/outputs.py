"""What the last step of an estimator gives, and of which of its methods that is the output."""

from typing import Any, NamedTuple

import numpy as np

from numbatch.convert.sklearn.conversion import Conversion
from numbatch.wire.graph import Symbol


class Output(NamedTuple):
    """The output of an estimator.

    Attributes
    ----------
    symbol : Symbol
        The array.
    method : str
        Whose values it is: "predict_proba", "decision_function", "predict" or "transform".
    classes : list or None
        The labels of a classifier.
    """

    symbol: Symbol
    method: str
    classes: list[Any] | None = None


def labels_of(model: Any) -> list[Any]:
    """Return the labels of a classifier, in the order of the columns of its output."""
    return list(np.asarray(model.classes_).tolist())


def probabilities(c: Conversion, decision: Symbol, name: str, factor: float = 1.0) -> Symbol:
    """Write the probabilities of classes by their decision values; of one value d, those of both: of -d and of d."""
    if decision.shape[-1] > 1:
        return c.writer.softmax(decision, name=name)
    return c.writer.dense(decision, [[-factor, factor]], None, "sigmoid", name=name)
