"""Pipelines, column transformers and unions -> the layers of their steps, one after the other or side by side."""

from typing import Any

from numbatch.convert.sklearn.columns import is_nothing, parts_of
from numbatch.convert.sklearn.conversion import Conversion, Table, Value, refusal
from numbatch.convert.sklearn.estimators import PREDICTORS, TRANSFORMERS, is_known, unsupported
from numbatch.convert.sklearn.outputs import Output
from numbatch.wire.graph import Symbol


def predict(c: Conversion, estimator: Any, value: Value, name: str) -> Output:
    """Write an estimator whose output is the model's."""
    kind = type(estimator).__name__
    if kind == "Pipeline":
        *before, (last, final) = estimator.steps
        for step, transformer in before:
            value = transform(c, transformer, value, _joined(name, step))
        return predict(c, final, value, _joined(name, last))
    if hasattr(estimator, "best_estimator_"):
        return predict(c, estimator.best_estimator_, value, name)
    if is_known(estimator, PREDICTORS):
        return PREDICTORS[kind](c, estimator, value, name or kind.lower())
    return Output(c.array(transform(c, estimator, value, name or kind.lower()), name), "transform")


def transform(c: Conversion, step: Any, value: Value, name: str) -> Value:
    """Write a step whose output is what the next one takes."""
    if is_nothing(step):
        return value
    kind = type(step).__name__
    if kind == "Pipeline":
        for part, transformer in step.steps:
            value = transform(c, transformer, value, _joined(name, part))
        return value
    if kind == "ColumnTransformer":
        return _columns(c, step, value, name)
    if kind == "FeatureUnion":
        parts = [(part, each) for part, each in step.transformer_list if each != "drop"]
        arrays = [
            _weighted(c, step, part, transform(c, each, value, _joined(name, part)), name) for part, each in parts
        ]
        return _side_by_side(c, arrays, name)
    if not is_known(step, TRANSFORMERS):
        raise unsupported(step, name)
    return TRANSFORMERS[kind](c, step, value, name)


def _columns(c: Conversion, step: Any, value: Value, name: str) -> Symbol:
    arrays = []
    for part in parts_of(step):
        if isinstance(value, Table):
            taken: Value = Table(tuple(value.columns[place] for place in part.columns))
        else:
            taken = c.writer.choose(value, part.columns, name=f"{_joined(name, part.name)}/columns")
        given = transform(c, part.transformer, taken, _joined(name, part.name))
        arrays.append(_weighted(c, step, part.name, given, name))
    return _side_by_side(c, arrays, name)


def _weighted(c: Conversion, step: Any, part: str, value: Value, name: str) -> Symbol:
    array = c.array(value, _joined(name, part))
    weight = (step.transformer_weights or {}).get(part, 1.0)
    return array if weight == 1 else c.writer.affine(array, weight, name=f"{_joined(name, part)}/weight")


def _side_by_side(c: Conversion, arrays: list[Symbol], name: str) -> Symbol:
    if not arrays:
        raise refusal(name, "it gives no columns")
    return arrays[0] if len(arrays) == 1 else c.writer.concatenate(arrays, name=name)


def _joined(name: str, step: str) -> str:
    return f"{name}/{step}" if name else step
