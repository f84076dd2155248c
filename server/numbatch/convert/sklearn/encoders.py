"""Encoders of categories -> lookup tables, one for each column.

A request brings the number of a category: its place in the list in the model's metadata. Where the encoder knows what
to do with a category that it was not fitted with, the number after the last stands for all such.
"""

import warnings
from typing import Any

import numpy as np

from numbatch.convert.sklearn.conversion import Conversion, Table, Value, finite, refusal
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import Array


def encode(c: Conversion, encoder: Any, value: Value, name: str) -> Symbol:
    """Write a OneHotEncoder or an OrdinalEncoder."""
    if not isinstance(value, Table):
        hint = "encode columns of the input, in a ColumnTransformer before other steps"
        raise refusal(name, "it encodes what another step computed", got=type(encoder).__name__, hint=hint)
    tables = _tables(encoder, name)
    arrays = []
    for column, categories, table in zip(value.columns, encoder.categories_, tables, strict=True):
        ids = c.row_numbers(column, list(categories), name)
        part = name if len(tables) == 1 else f"{name}/{c.names[column]}"
        if table.shape[1]:
            arrays.append(c.writer.embedding(ids, table, pooling="sum", name=part))
    return arrays[0] if len(arrays) == 1 else c.writer.concatenate(arrays, name=name)


def _tables(encoder: Any, name: str) -> list[Array]:
    """Return what the encoder makes of each category of each column, and of one that it does not know."""
    categories = encoder.categories_
    widths = _widths(encoder)
    ends = np.cumsum(widths)
    tables = []
    for i, column in enumerate(categories):
        rows = np.empty((len(column), len(categories)), object)
        for j, other in enumerate(categories):
            rows[:, j] = column if i == j else other[0]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that the columns have no names here
            encoded = encoder.transform(rows)
        encoded = encoded.toarray() if hasattr(encoded, "toarray") else np.asarray(encoded)
        if encoded.shape[1] != ends[-1]:
            raise refusal(name, "its output", got=f"{encoded.shape[1]} columns", expected=ends[-1])
        table = encoded[:, ends[i] - widths[i] : ends[i]].astype(np.float64)
        unknown = _unknown(encoder, i, table)
        tables.append(finite(name, "what it encodes", table if unknown is None else np.vstack([table, unknown])))
    return tables


def _widths(encoder: Any) -> list[int]:
    """Return how many columns come of each."""
    if type(encoder).__name__ == "OrdinalEncoder":
        return [1] * len(encoder.categories_)
    dropped = encoder.drop_idx_
    infrequent = getattr(encoder, "infrequent_categories_", [None] * len(encoder.categories_))
    return [
        len(categories) - (len(rare) - 1 if rare is not None else 0) - (dropped is not None and dropped[i] is not None)
        for i, (categories, rare) in enumerate(zip(encoder.categories_, infrequent, strict=True))
    ]


def _unknown(encoder: Any, i: int, table: Array) -> Array | None:
    """Return what the encoder makes of a category that it does not know; None: it refuses it."""
    if encoder.handle_unknown == "error":
        return None
    if encoder.handle_unknown == "use_encoded_value":
        return np.array([encoder.unknown_value])
    rare = getattr(encoder, "infrequent_categories_", [None] * len(encoder.categories_))[i]
    if encoder.handle_unknown in ("infrequent_if_exist", "warn") and rare is not None:
        return np.asarray(table[list(encoder.categories_[i]).index(rare[0])])
    return np.zeros(table.shape[1])
