"""What works on elements alone: activations, sums and products, with other tensors and with constants."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from numbatch.convert.keras.activations import Function
from numbatch.convert.keras.values import Use, Value
from numbatch.wire.graph import GraphWriter, Symbol
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array


def activate(use: Use, x: Symbol, function: Function, name: str = "") -> Symbol:
    """Add an activation, whose output has the name of the use."""
    graph, name = use.to.graph, name or use.name
    if function.before != 1:
        x = graph.affine(x, function.before, name=f"{name}/scaled")
    if function.after == 1:
        return graph.activation(x, function.name, alpha=function.alpha, name=name)
    x = graph.activation(x, function.name, alpha=function.alpha, name=f"{name}/{function.name}")
    return graph.affine(x, function.after, name=name)


def affine(use: Use, x: Symbol, scale: Any = None, offset: Any = None) -> Symbol:
    """Add scale x + offset, by constants of any shape that fits x."""
    arrays = [None if each is None else constant(use, x, each) for each in (scale, offset)]
    return over_elements(use, x, arrays, lambda graph, y, given, name: graph.affine(y, *given, name=name))


Writer = Callable[[GraphWriter, Symbol, list[Array | None], str], Symbol]


def over_elements(use: Use, x: Symbol, arrays: Sequence[Array | None], write: Writer) -> Symbol:
    """Add a layer with arrays of features: over the last axis if they only vary there, else over all axes in one."""
    graph = use.to.graph
    if all(each is None or each.ndim <= 1 for each in arrays):
        return write(graph, x, list(arrays), use.name)
    whole = [None if each is None else np.broadcast_to(each, x.shape).ravel() for each in arrays]
    flat = write(graph, graph.flatten(x, name=f"{use.name}/flat"), whole, f"{use.name}/elements")
    return graph.reshape(flat, x.shape, name=use.name)


def constant(use: Use, x: Symbol, given: Any) -> Array:
    """Return a constant as an array of the last axes of one example.

    Raises
    ------
    UnsupportedError
        FEATURE_UNSUPPORTED, if it would widen x.
    """
    array = np.asarray(given, np.float64)
    while array.ndim and array.shape[0] == 1:
        array = array[0]
    try:
        fits = np.broadcast_shapes(array.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise use.operation.refusal(
            f"a constant of shape {list(np.shape(given))} with examples of shape {list(x.shape)}",
            reason=Reason.FEATURE_UNSUPPORTED,
            expected="one that fits each example",
        )
    return array


def _split(use: Use) -> tuple[list[Symbol], list[Any]]:
    """Return the operands that are computed, and those that are constants."""
    tensors = [each for each in use.operands if not _is_constant(each)]
    symbols = [use.to.floats(each, use) for each in tensors]
    for each in symbols[1:]:
        if each.shape != symbols[0].shape:
            raise use.operation.refusal(
                f"of shapes {list(symbols[0].shape)} and {list(each.shape)}",
                reason=Reason.FEATURE_UNSUPPORTED,
                expected="operands of one shape",
                hint="only constants are broadcast",
            )
    return symbols, [each for each in use.operands if _is_constant(each)]


def _is_constant(value: Any) -> bool:
    return isinstance(value, int | float | np.ndarray | np.generic)


def _add(use: Use) -> Value:
    tensors, constants = _split(use)
    if not constants:
        return _one_or(use, tensors, use.to.graph.add)
    total = sum(constant(use, tensors[0], each) for each in constants)
    if len(tensors) == 1:
        return affine(use, tensors[0], offset=total)
    return affine(use, use.to.graph.add(tensors, name=f"{use.name}/sum"), offset=total)


def _multiply(use: Use) -> Value:
    tensors, constants = _split(use)
    if not constants:
        return _one_or(use, tensors, use.to.graph.multiply)
    factor = np.prod(np.broadcast_arrays(*(constant(use, tensors[0], each) for each in constants)), axis=0)
    if len(tensors) == 1:
        return affine(use, tensors[0], factor)
    return affine(use, use.to.graph.multiply(tensors, name=f"{use.name}/product"), factor)


def _one_or(use: Use, tensors: list[Symbol], write: Callable[..., Symbol]) -> Symbol:
    return (
        write(tensors, name=use.name)
        if len(tensors) > 1
        else use.to.graph.activation(tensors[0], "linear", name=use.name)
    )


def _subtract(use: Use) -> Value:
    left, right = use.operands
    if _is_constant(right):
        return affine(use, use.to.floats(left, use), offset=-np.asarray(right, np.float64))
    if _is_constant(left):
        return affine(use, use.to.floats(right, use), -1.0, left)
    (first, second), _ = _split(use)
    negative = use.to.graph.affine(second, -1.0, name=f"{use.name}/negative")
    return use.to.graph.add([first, negative], name=use.name)


def _average(use: Use) -> Value:
    tensors, _ = _split(use)
    if len(tensors) == 1:
        return _one_or(use, tensors, use.to.graph.add)
    return use.to.graph.affine(use.to.graph.add(tensors, name=f"{use.name}/sum"), 1 / len(tensors), name=use.name)


def _divide(use: Use) -> Value:
    left, right = use.operands
    if not _is_constant(right) or not np.all(np.asarray(right)):
        raise use.operation.refusal("a division by what is computed, or by 0", expected="by a constant")
    return affine(use, use.to.floats(left, use), 1 / np.asarray(right, np.float64))


def _maximum(use: Use) -> Value:
    tensors, constants = _split(use)
    if len(tensors) != 1 or len(constants) != 1 or np.any(constants[0]):
        raise use.operation.refusal("a maximum other than with 0", expected="maximum(x, 0), which is relu")
    return use.to.graph.activation(tensors[0], "relu", name=use.name)


def _power(use: Use) -> Value:
    left, right = use.operands
    if not _is_constant(right) or np.ndim(right) or right not in (1, 2, 3, 4):
        raise use.operation.refusal("a power that is not served", expected="x ** 2, 3 or 4")
    return _product_of(use, use.to.floats(left, use), int(right))


def _product_of(use: Use, x: Symbol, times: int) -> Symbol:
    return _one_or(use, [x] * times, use.to.graph.multiply)


def _clip(use: Use) -> Value:
    positional = use.operands[1:]
    low = positional[0] if positional else use.parameter("x_min")
    high = positional[1] if len(positional) > 1 else use.parameter("x_max")
    if low != 0 or not high or high < 0:
        raise use.operation.refusal(f"clip to {low} and {high}", expected="from 0 to a positive number")
    return activate(use, use.x, Function("relu6", before=6 / high, after=high / 6))


def _rescaling(use: Use) -> Value:
    return affine(use, use.x, use.parameter("scale", 1.0), use.parameter("offset", 0.0))


def _matmul(use: Use) -> Value:
    left, right = use.operands
    if _is_constant(left) or not _is_constant(right) or np.ndim(right) != 2:
        raise use.operation.refusal(
            "a product of two computed tensors", expected="x @ w with constants w of shape [inputs, units]"
        )
    return use.to.graph.dense(use.to.floats(left, use), right, name=use.name)


def _negative(use: Use) -> Value:
    return use.to.graph.affine(use.x, -1.0, name=use.name)


def _square(use: Use) -> Value:
    return _product_of(use, use.x, 2)


HANDLERS: dict[str, Callable[[Use], Any]] = {
    "Add": _add,
    "Average": _average,
    "Multiply": _multiply,
    "Rescaling": _rescaling,
    "Subtract": _subtract,
    "ops.Add": _add,
    "ops.Clip": _clip,
    "ops.Divide": _divide,
    "ops.Dot": _matmul,
    "ops.Matmul": _matmul,
    "ops.Maximum": _maximum,
    "ops.Multiply": _multiply,
    "ops.Negative": _negative,
    "ops.Power": _power,
    "ops.Square": _square,
    "ops.Subtract": _subtract,
    "ops.TrueDivide": _divide,
}
