"""Which columns of its input an estimator uses, and as what: numbers, or categories."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from numbatch.convert.sklearn.conversion import refusal

# Those whose columns are categories.
ENCODERS = ("OneHotEncoder", "OrdinalEncoder")


class Part(NamedTuple):
    """A transformer of a ColumnTransformer: its name, the fitted transformer or None to pass on, and its columns."""

    name: str
    transformer: Any
    columns: tuple[int, ...]


def is_nothing(step: Any) -> bool:
    """Return whether a step passes on what it takes."""
    is_identity = type(step).__name__ == "FunctionTransformer" and step.func is None
    return step is None or step == "passthrough" or is_identity


def parts_of(transformer: Any) -> list[Part]:
    """Return the transformers of a fitted ColumnTransformer that are not dropped, in the order of their outputs."""
    names = list(getattr(transformer, "feature_names_in_", []))
    count = transformer.n_features_in_
    parts = []
    for name, step, columns in transformer.transformers_:
        places = _places(columns, names, count)
        if places and not (isinstance(step, str) and step == "drop"):
            parts.append(Part(name, None if is_nothing(step) else step, places))
    return parts


def needs_names(step: Any) -> bool:
    """Return whether an estimator takes its columns by the names that they have in a data frame."""
    kind = type(step).__name__
    if kind == "ColumnTransformer":
        return hasattr(step, "feature_names_in_")
    if hasattr(step, "best_estimator_"):
        return needs_names(step.best_estimator_)
    parts = step.steps if kind == "Pipeline" else step.transformer_list if kind == "FeatureUnion" else []
    return any(needs_names(part) for _, part in parts)


def numeric_columns(estimator: Any, columns: Iterable[int]) -> list[int]:
    """Return the columns that an estimator takes as numbers, in the order in which it first names them."""
    return list(dict.fromkeys(_numeric(estimator, tuple(columns))))


def _numeric(step: Any, columns: tuple[int, ...]) -> Iterator[int]:
    kind = type(step).__name__
    if kind == "Pipeline":
        first = next((each for _, each in step.steps if not is_nothing(each)), None)
        yield from _numeric(first, columns)
    elif kind == "ColumnTransformer":
        for part in parts_of(step):
            yield from _numeric(part.transformer, tuple(columns[place] for place in part.columns))
    elif kind == "FeatureUnion":
        for _, each in step.transformer_list:
            if each != "drop":
                yield from _numeric(each, columns)
    elif hasattr(step, "best_estimator_"):
        yield from _numeric(step.best_estimator_, columns)
    elif kind not in ENCODERS:
        yield from columns


def _places(columns: Any, names: Sequence[str], count: int) -> tuple[int, ...]:
    """Return the numbers of columns that are given as scikit-learn takes them: numbers, names, a slice, or a mask."""
    if isinstance(columns, slice):
        start, stop = (_place(each, names) if isinstance(each, str) else each for each in (columns.start, columns.stop))
        stop = stop + 1 if isinstance(columns.stop, str) else stop  # a slice of names includes its end
        return tuple(range(count)[start : stop : columns.step])
    given = [columns] if isinstance(columns, (str, int, np.integer)) else list(columns)
    if given and all(isinstance(each, (bool, np.bool_)) for each in given):
        return tuple(place for place, is_chosen in enumerate(given) if is_chosen)
    return tuple(_place(each, names) % count for each in given)


def _place(column: Any, names: Sequence[str]) -> int:
    if not isinstance(column, str):
        return int(column)
    if column not in names:
        raise refusal(column, "a column that the estimator was not fitted with", expected=", ".join(names))
    return list(names).index(column)
