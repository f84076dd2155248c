"""An estimator as what to compare with: the model's inputs are made into its own, and its method called in float64."""

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from numbatch.convert.converted import Reference
from numbatch.convert.sklearn.conversion import Conversion
from numbatch.wire.tensors import Array


def reference_of(estimator: Any, method: str, c: Conversion, output: str, names: Sequence[str]) -> Reference | None:
    """Return a function that calls a method of the estimator; None if it takes data frames, and there is no pandas.

    Parameters
    ----------
    estimator : object
        The estimator.
    method : str
        Its method: "predict_proba".
    c : Conversion
        Which columns the inputs are.
    output : str
        The model's output.
    names : sequence of str
        Those of the columns, if the estimator takes them by their names.
    """
    if names and importlib.util.find_spec("pandas") is None:
        return None

    def reference(arrays: Mapping[str, Array]) -> dict[str, Array]:
        rows = len(next(iter(arrays.values())))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that columns have no names, and categories are not known
            values: Any = getattr(estimator, method)(_named(_rows(c, arrays, rows), names))
        values = values.toarray() if hasattr(values, "toarray") else values
        return {output: np.asarray(values, np.float64).reshape(rows, -1)}

    return reference


def _named(rows: Array, names: Sequence[str]) -> Any:
    if not names:
        return rows
    import pandas as pd

    return pd.DataFrame(rows, columns=list(names))


def _rows(c: Conversion, arrays: Mapping[str, Array], rows: int) -> Array:
    table = np.zeros((rows, len(c.names)), object if c.coded else np.float64)
    if c.floats is not None:
        table[:, c.numeric] = np.asarray(arrays[c.floats.name], np.float64)
    for column, coded in c.coded.items():
        values = [*coded.categories, _unknown(coded.categories)]
        table[:, column] = [values[int(number)] for number in arrays[coded.symbol.name].reshape(rows)]
    return table


def _unknown(categories: Sequence[Any]) -> Any:
    """Return something that is none of these categories."""
    if words := [each for each in categories if isinstance(each, str)]:
        return "?" + "".join(words)
    return max((each for each in categories if each is not None and each == each), default=0) + 1
