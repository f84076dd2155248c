"""Embeddings, and what is made of the rows that they look up."""

from collections.abc import Callable
from typing import Any

from numbatch.convert.keras.values import Input, Mask, Part, Rows, Use, Value, Whole
from numbatch.wire.reasons import Reason


def _embedding(use: Use) -> Value:
    value = use.value.of if isinstance(use.value, Whole) else use.value
    if not isinstance(value, Input | Part):
        raise use.operation.refusal(
            "row numbers that are computed", expected="an input of the model", hint="send the row numbers themselves"
        )
    table = use.operation.variables["embeddings"]
    return Rows(use.name, value, table, bool(use.parameter("mask_zero", False)))


def _not_equal(use: Use) -> Value:
    ids, number = use.operands
    ids = ids.of if isinstance(ids, Whole) else ids
    if not isinstance(ids, Input | Part) or not isinstance(number, int | float) or number:
        raise use.operation.refusal("a comparison", hint="only the mask that Embedding makes is served")
    return Mask(ids)


def _average_pooling(use: Use) -> Value:
    rows, mask = use.value, use.kwargs.get("mask")
    if not isinstance(rows, Rows) or len(rows.shape) != 2 or use.parameter("data_format") == "channels_first":
        raise use.operation.refusal(
            "a mean over examples' axes", expected="directly after an Embedding of row numbers of shape [n]"
        )
    if mask is not None and not (isinstance(mask, Mask) and mask.ids is rows.ids):
        raise use.operation.refusal("with a mask of its own", expected="none, or that of the Embedding")
    return _pooled(use, rows, "mean", padded=rows.masked or mask is not None, keep=bool(use.parameter("keepdims")))


def _reduced(use: Use) -> Value:
    kind, rows, axis = use.operation.kind, use.value, use.parameter("axis")
    pooling = {"ops.Sum": "sum", "ops.Mean": "mean"}[kind]
    axes = list(axis) if isinstance(axis, list | tuple) else [axis]
    if not isinstance(rows, Rows) or axes not in ([-2], [len(rows.shape) - 1]):
        raise use.operation.refusal(
            f"a {pooling} over axis {axis}",
            reason=Reason.FEATURE_UNSUPPORTED,
            expected="directly after an Embedding, over axis -2",
        )
    return _pooled(use, rows, pooling, padded=False, keep=bool(use.parameter("keepdims")))


def _pooled(use: Use, rows: Rows, pooling: str, *, padded: bool, keep: bool) -> Value:
    name = f"{use.name}/pooled" if keep else use.name
    padding = 0 if padded else None
    pooled = use.to.embedding(rows, use, pooling=pooling, padding_id=padding, name=name)
    use.to.notes.append(f"{rows.name} and {use.name} are one layer, {name}")
    if padded:
        use.to.notes.append(f"{name}: of row numbers that are all 0 the mean is 0; Keras gives NaN")
    if keep:
        return use.to.graph.reshape(pooled, (*rows.shape[:-2], 1, rows.shape[-1]), name=use.name)
    return pooled


HANDLERS: dict[str, Callable[[Use], Any]] = {
    "Embedding": _embedding,
    "GlobalAveragePooling1D": _average_pooling,
    "ops.Mean": _reduced,
    "ops.NotEqual": _not_equal,
    "ops.Sum": _reduced,
}
