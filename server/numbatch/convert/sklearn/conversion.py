"""What the steps of an estimator share: the model that is being written, and the columns of the estimator's input."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.graph import GraphWriter, Symbol
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array


class Table(NamedTuple):
    """Some columns of what the estimator takes, as they came: numbers or categories."""

    columns: tuple[int, ...]


# What a step takes: an array of the model, or columns that nothing has touched.
Value = Symbol | Table


class Coded(NamedTuple):
    """A column of categories: the input that brings their numbers, and which they are.

    Attributes
    ----------
    symbol : Symbol
        The input.
    categories : list
        The number of each is its place.
    """

    symbol: Symbol
    categories: list[Any]


class Conversion:
    """A model in the making.

    Attributes
    ----------
    writer : GraphWriter
        What writes it.
    names : list of str
        What the columns of the estimator's input are called.
    coded : dict of int to Coded
        The columns of categories so far.
    notes : list of str
        What a user should know, a sentence each.

    Parameters
    ----------
    writer : GraphWriter
        As the attribute.
    names : list of str
        As the attribute.
    numeric : list of int
        The columns that are numbers, in the order in which the input of floats brings them.
    """

    def __init__(self, writer: GraphWriter, names: list[str], numeric: list[int]) -> None:
        self.writer = writer
        self.names = names
        self.numeric = numeric
        self.coded: dict[int, Coded] = {}
        self.notes: list[str] = []
        self.floats = writer.input("input", [len(numeric)]) if numeric else None

    def array(self, value: Value, name: str) -> Symbol:
        """Return what a step takes as an array; some of the columns are chosen, if need be."""
        if isinstance(value, Symbol):
            return value
        places = [self.numeric.index(column) for column in value.columns]
        assert self.floats is not None  # the columns were gathered by the same walk
        if places == list(range(len(self.numeric))):
            return self.floats
        return self.writer.choose(self.floats, places, name=f"{name}/columns")

    def row_numbers(self, column: int, categories: list[Any], name: str) -> Symbol:
        """Return the input that brings the numbers of a column's categories."""
        if column not in self.coded:
            symbol = self.writer.input(self.names[column], [1], integer=True)
            self.coded[column] = Coded(symbol, categories)
        elif self.coded[column].categories != categories:
            raise refusal(name, "a column that two steps number differently", got=self.names[column])
        return self.coded[column].symbol


def refusal(
    name: str,
    problem: str,
    *,
    got: object = "",
    expected: object = "",
    hint: str = "",
    reason: Reason = Reason.LAYER_UNSUPPORTED,
) -> NumbatchError:
    """Return the error that says why a step cannot be served, and what could be done."""
    return error(reason, problem, field=name, got=got, expected=expected, hint=hint)


def finite(name: str, what: str, value: npt.ArrayLike) -> Array:
    """Return a fitted attribute as float64, if all of it is finite.

    Raises
    ------
    InvalidModelError
        WEIGHTS_NOT_FINITE.
    """
    dense = value.toarray() if hasattr(value, "toarray") else value  # a sparse matrix
    array = np.asarray(dense, np.float64)
    if not np.all(np.isfinite(array)):
        raise refusal(name, f"{what} holds what is not finite", reason=Reason.WEIGHTS_NOT_FINITE)
    return array
