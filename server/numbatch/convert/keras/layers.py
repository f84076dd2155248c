"""Layers with weights: dense layers and normalisations."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numbatch.convert.keras.activations import is_last
from numbatch.convert.keras.elementwise import activate, over_elements
from numbatch.convert.keras.values import Use, Value
from numbatch.wire.graph import Symbol
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

# keras.backend.epsilon(): what Normalization divides by at least.
_EPSILON = 1e-7


def _dense(use: Use) -> Value:
    x, variables, graph = use.x, use.operation.variables, use.to.graph
    function = use.to.activations.of_layer(use.operation, len(x.shape) + 1)
    kernel, bias = _array(use, "kernel"), variables.get("bias")
    if function.is_plain:
        return graph.dense(x, kernel, bias, function.name, alpha=function.alpha, name=use.name)
    z = graph.dense(x, kernel, bias, name=f"{use.name}/linear")
    return activate(use, z, function)


def _batch_normalization(use: Use) -> Value:
    x, variables = use.x, use.operation.variables
    _check_axis(use, x, use.parameter("axis", -1))
    if use.parameter("training") is True:
        raise use.operation.refusal("called with training=True", hint="it is served as in inference: call it without")
    return use.to.graph.batch_normalization(
        x,
        _array(use, "moving_mean"),
        _array(use, "moving_variance"),
        variables.get("gamma"),
        variables.get("beta"),
        epsilon=float(use.parameter("epsilon", 0.001)),
        name=use.name,
    )


def _layer_normalization(use: Use) -> Value:
    x, variables = use.x, use.operation.variables
    _check_axis(use, x, use.parameter("axis", -1))
    if use.parameter("rms_scaling"):
        raise use.operation.refusal("with rms_scaling", reason=Reason.FEATURE_UNSUPPORTED, expected="rms_scaling=False")
    scale, offset = variables.get("gamma"), variables.get("beta")
    epsilon = float(use.parameter("epsilon", 0.001))
    return use.to.graph.layer_normalization(x, scale, offset, epsilon=epsilon, name=use.name)


def _normalization(use: Use) -> Value:
    x, config = use.x, use.operation.config
    if config.get("mean") is not None:
        mean, variance = (np.asarray(config[name], np.float64) for name in ("mean", "variance"))
    else:
        mean, variance = (np.asarray(_array(use, name), np.float64) for name in ("mean", "variance"))
    mean, variance = (_spread(use, x, each) for each in (mean, variance))
    # Keras divides by max(sqrt(variance), epsilon).
    variance = np.maximum(variance, _EPSILON**2)
    if use.parameter("invert"):
        arrays = [np.sqrt(variance), mean]
        return over_elements(use, x, arrays, lambda graph, y, given, name: graph.affine(y, *given, name=name))
    arrays = [np.broadcast_to(each, x.shape[-1:]) if each.ndim <= 1 else each for each in (mean, variance)]
    return over_elements(use, x, arrays, lambda graph, y, given, name: graph.normalization(y, *_both(given), name=name))


def _both(given: list[Array | None]) -> tuple[Any, Any]:
    return given[0], given[1]


def _spread(use: Use, x: Symbol, array: Array) -> Array:
    """Return statistics, which have the axes that the layer keeps, as an array of the last axes of an example."""
    rank, axis = len(x.shape) + 1, use.parameter("axis", -1)
    kept = sorted(each % rank for each in ([] if axis is None else [axis] if isinstance(axis, int) else axis))
    if 0 in kept:
        raise use.operation.refusal("statistics of each row of a batch", expected="axis=-1, or None")
    while array.ndim and (array.ndim > len(kept) or array.size == 1):
        array = array[0]
    whole = [1] * len(x.shape)
    for place, length in zip(reversed(kept), reversed(array.shape), strict=False):
        whole[place - 1] = length
    array = array.reshape(whole)
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    return array


def _check_axis(use: Use, x: Symbol, axis: Any) -> None:
    if not is_last(axis, len(x.shape) + 1):
        raise use.operation.refusal(
            f"over axis {axis}", reason=Reason.FEATURE_UNSUPPORTED, expected="axis=-1, the last"
        )


def _array(use: Use, name: str) -> Array:
    if name not in use.operation.variables:
        raise use.operation.refusal(
            f"its {name} was never made", reason=Reason.WEIGHTS_MISMATCH, hint="build the model before it is saved"
        )
    return use.operation.variables[name]


HANDLERS: dict[str, Callable[[Use], Any]] = {
    "BatchNormalization": _batch_normalization,
    "Dense": _dense,
    "LayerNormalization": _layer_normalization,
    "Normalization": _normalization,
}
