"""The parameters of layers that are not dense: where they lie in the arena, and what the kernels need beside them.

A vector is padded to whole vectors of the processor. A normalisation keeps what it came with, to give it back, and
beside it the factor that it is folded to: factor = scale / sqrt(variance + epsilon), in float64, rounded once.
"""

from typing import NamedTuple

import numpy as np

from numbatch.engine.graph import Node
from numbatch.wire.errors import error
from numbatch.wire.layers import parameters_of
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array

# Elements; a cache line.
_LINE = 16

DEFAULT_EPSILON = 0.001

# What each kind has, in this order: those that the kernel reads come first. "factor" and "zeros" are made here.
_ORDER = {
    "batch_normalization": ("mean", "factor", "offset", "variance", "scale"),
    "normalization": ("mean", "factor", "zeros", "variance"),
    "layer_normalization": ("scale", "offset"),
    "embedding": ("table",),
}
_DEFAULTS = {"scale": 1.0}


class Vectors(NamedTuple):
    """Where the parameters of a layer lie.

    Attributes
    ----------
    at : dict of str to int
        The place of each, by name.
    stride : int
        The distance of one to the next.
    shape : tuple of int
        The axes of each.
    end : int
        The place after them.
    """

    at: dict[str, int]
    stride: int
    shape: tuple[int, ...]
    end: int


def place_vectors(node: Node, at: int = 0) -> Vectors:
    """Return where a layer's parameters go from a position on, a multiple of 16."""
    names = _ORDER.get(node.kind, ())
    parameters = parameters_of(node.layer, node.input_shape)
    shape = parameters[0].shape if parameters else ()
    stride = -(-int(np.prod(shape, dtype=np.int64)) // _LINE) * _LINE
    places = {name: at + number * stride for number, name in enumerate(names)}
    return Vectors(places, stride, shape, at + len(names) * stride)


def epsilon_of(node: Node) -> float:
    """Return what a normalisation adds to the variance, as a float32."""
    if node.kind == "normalization":
        return 0.0
    message = getattr(node.layer, node.kind)
    return float(np.float32(message.epsilon if message.HasField("epsilon") else DEFAULT_EPSILON))


def check_epsilon(node: Node) -> None:
    """Refuse a normalisation whose epsilon is none.

    Raises
    ------
    InvalidModelError
        MODEL_INVALID.
    """
    if node.kind not in ("batch_normalization", "layer_normalization"):
        return
    epsilon, least = epsilon_of(node), node.kind == "batch_normalization"
    if not (np.isfinite(epsilon) and (epsilon > 0 or (least and epsilon == 0))):
        expected = "0 or more" if least else "more than 0"
        raise error(Reason.MODEL_INVALID, field=f"{node.field}.{node.kind}.epsilon", got=epsilon, expected=expected)


def check_rows(node: Node, name: str, first: int, rows: Float32Array) -> None:
    """Refuse variances that no normalisation can divide by.

    Raises
    ------
    InvalidModelError
        MODEL_INVALID.
    """
    if name != "variance":
        return
    wrong = (rows < 0) | (rows + np.float32(epsilon_of(node)) <= 0)
    if wrong.any():
        place = int(np.argmax(wrong))
        expected = "more than 0" if epsilon_of(node) == 0 else "0 or more"
        field = f"{node.field}.{node.kind}.variance[{first + place}]"
        raise error(Reason.MODEL_INVALID, field=field, got=rows[place], expected=expected)


def put_defaults(node: Node, places: Vectors, arena: Float32Array) -> None:
    """Write what a layer's parameters are where the model does not say; all else is 0 already."""
    for name, value in _DEFAULTS.items():
        if name in places.at:
            vector(places, name, arena)[:] = value


def vector(places: Vectors, name: str, arena: Float32Array) -> Float32Array:
    """Return a parameter of a layer, in the arena."""
    at = places.at[name]
    return arena[at : at + int(np.prod(places.shape, dtype=np.int64))].reshape(places.shape)


def fold(node: Node, places: Vectors, arena: Float32Array) -> None:
    """Write what the kernels need, once all parameters are there.

    Raises
    ------
    InvalidModelError
        MODEL_INVALID, if a factor is too large for a float32.
    """
    if "factor" not in places.at:
        return
    variance = vector(places, "variance", arena).astype(np.float64)
    scale = vector(places, "scale", arena).astype(np.float64) if "scale" in places.at else 1.0
    with np.errstate(over="ignore"):
        factor = (scale / np.sqrt(variance + epsilon_of(node))).astype(np.float32)
    if not np.isfinite(factor).all():
        unit = int(np.argmin(np.isfinite(factor)))
        field = f"{node.field}.{node.kind}.variance[{unit}]"
        expected = "a scale / sqrt(variance + epsilon) that is a float32"
        raise error(Reason.MODEL_INVALID, "too small", field=field, got=variance[unit], expected=expected)
    vector(places, "factor", arena)[:] = factor
