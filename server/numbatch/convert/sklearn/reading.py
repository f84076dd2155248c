"""Reading an estimator: from the fitted object to the message."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from numbatch.convert.converted import Converted
from numbatch.convert.sklearn.columns import needs_names, numeric_columns
from numbatch.convert.sklearn.composition import predict
from numbatch.convert.sklearn.conversion import Conversion, Table
from numbatch.convert.sklearn.files import load_estimator
from numbatch.convert.sklearn.outputs import Output
from numbatch.convert.sklearn.reference import reference_of
from numbatch.wire.errors import error
from numbatch.wire.graph import GraphWriter
from numbatch.wire.names import model_name
from numbatch.wire.reasons import Reason


def from_sklearn(estimator: Any, *, name: str = "", features: Sequence[str] | None = None) -> Converted:
    """Read a fitted scikit-learn estimator whose prediction is dense algebra, or a pipeline of such.

    Numbers come in as one float32 input, "input". A column that an encoder takes is an input of its own, called as the
    column, of one integer: the place of the category in the metadata. Where the encoder has a use for categories that
    it was not fitted with, the number after the last stands for them.

    Layers are called after the steps of the pipeline ("scaler", "preprocessing/numbers"), or after the class in lower
    case; with probabilities, "STEP/decision" has the values of the decision function.

    Parameters
    ----------
    estimator : estimator or path
        Fitted; or a .skops file that holds one, of types that skops trusts.
    name : str
        The model's. Default: the class in lower case, or that of a pipeline's last step; of a file, its own.
    features : sequence of str, optional
        The names of the columns that the estimator takes. Default: those that it was fitted with.

    Returns
    -------
    Converted
        The model has one output of shape [columns]: predict_proba of the classifiers that have it, of both classes
        where there are two; of the others decision_function, one column where there are two classes; of regressors
        predict, a column for each target. Metadata:

        - "output": the method, "predict_proba", "decision_function", "predict" or "transform";
        - "classes": the labels as a JSON list, in the order of the output's columns; where one column decides between
          two classes, it is positive for the second;
        - "features": the names of the columns of "input" as a JSON list, in its order; where they have none and are not
          all columns, their numbers;
        - "categories.INPUT": the categories of an integer input as a JSON list; null is a missing one.

        The reference calls the method in float64. It is None if the estimator takes its columns by name, and pandas is
        not installed.

    Raises
    ------
    UnsupportedError
        LAYER_UNSUPPORTED, with the name of the step, its class, and what could be done; FEATURE_UNSUPPORTED, for files.
    InvalidModelError
        MODEL_INVALID, if it is not fitted; WEIGHTS_NOT_FINITE.
    InvalidArgumentError
        INVALID_FIELD, if `features` are not as many as the columns.
    CorruptModelError
        MODEL_CORRUPT, for files.
    """
    if isinstance(estimator, (str, os.PathLike)):
        name = name or model_name(Path(estimator).stem)
        estimator = load_estimator(Path(estimator))
    _check(estimator)
    first = _first(estimator)
    fitted_names = list(getattr(first, "feature_names_in_", []))
    names = _names(int(first.n_features_in_), fitted_names if features is None else features)
    numeric = numeric_columns(estimator, range(len(names)))
    made_by = f"scikit-learn {sklearn.__version__}, {type(estimator).__name__}"
    writer = GraphWriter(name or type(_final(estimator)).__name__.lower(), metadata={"converted_from": made_by})
    c = Conversion(writer, names, numeric)
    output = predict(c, estimator, Table(tuple(range(len(names)))), "")
    model = writer.model([output.symbol])
    _add_metadata(model.metadata, c, output, is_named=bool(fitted_names or features))
    needed = fitted_names if needs_names(estimator) else []
    reference = reference_of(estimator, output.method, c, model.outputs[0], needed)
    if reference is None:
        c.notes.append("The original takes data frames: without pandas, there is nothing to compare with.")
    return Converted(model, reference, tuple(c.notes))


def _check(estimator: Any) -> None:
    try:
        check_is_fitted(estimator)
    except NotFittedError as unfitted:
        raise error(Reason.MODEL_INVALID, "it is not fitted", field=type(estimator).__name__) from unfitted
    except TypeError as other:
        got = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
        raise error(Reason.FEATURE_UNSUPPORTED, "no estimator", got=got, expected="one of scikit-learn") from other


def _names(count: int, given: Sequence[str]) -> list[str]:
    """Return what so many columns are called."""
    if len(given) not in (0, count):
        raise error(Reason.INVALID_FIELD, field="features", got=len(given), expected=f"{count} names")
    return [str(each) for each in given] or [f"column_{i}" for i in range(count)]


def _first(estimator: Any) -> Any:
    """Return the step that takes the estimator's input: the first that does anything."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif type(estimator).__name__ == "Pipeline":
            steps = [step for _, step in estimator.steps]
            estimator = next((step for step in steps if not isinstance(step, str) and step is not None), steps[0])
        else:
            return estimator


def _final(estimator: Any) -> Any:
    """Return the step that an estimator ends with."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif type(estimator).__name__ == "Pipeline":
            estimator = estimator.steps[-1][1]
        else:
            return estimator


def _add_metadata(metadata: Any, c: Conversion, output: Output, *, is_named: bool) -> None:
    metadata["output"] = output.method
    if output.classes is not None:
        metadata["classes"] = json.dumps(output.classes, default=str)
    if c.floats is not None and (is_named or c.coded):
        metadata["features"] = json.dumps([c.names[i] if is_named else i for i in c.numeric])
    for coded in c.coded.values():
        metadata[f"categories.{coded.symbol.name}"] = json.dumps(
            [_plain(each) for each in coded.categories], default=str
        )


def _plain(category: Any) -> Any:
    """Return a category as Python's own type; None for a missing one, which NaN stands for, too."""
    value = category.item() if isinstance(category, np.generic) else category
    return None if value != value else value
