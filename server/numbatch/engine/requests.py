"""What is asked of a model -> what its plan needs to know, or a clear refusal: past these checks, code assumes."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from numbatch.engine.specs import ArraySpec
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, shape_text

_FLOAT32 = np.dtype(np.float32)


def check_inputs(inputs: Mapping[str, Array], specs: Sequence[ArraySpec]) -> Array:
    """Check that a request brings the input that a model has, and return it.

    Parameters
    ----------
    inputs : mapping of str to ndarray
        By input name; for a model with one input the name may be "".
    specs : sequence of ArraySpec
        The model's inputs: one.

    Raises
    ------
    InvalidArgumentError
        UNKNOWN_INPUT, DUPLICATE_INPUT or MISSING_INPUT.
    """
    spec = specs[0]
    for position, name in enumerate(inputs):
        if name not in ("", spec.name):
            field = f"inputs[{position}].name"
            raise error(Reason.UNKNOWN_INPUT, "no such input", field=field, got=repr(name), expected=repr(spec.name))
    if len(inputs) > 1:
        raise error(Reason.DUPLICATE_INPUT, field="inputs", got=len(inputs), expected=f"one tensor, {spec.name!r}")
    if not inputs:
        raise error(Reason.MISSING_INPUT, field="inputs", got="no tensor", expected=repr(spec.name))
    (x,) = inputs.values()
    return x


def check_array(x: Array, spec: ArraySpec) -> tuple[int, tuple[int, ...]]:
    """Check the type and the shape of an input.

    Returns
    -------
    rows : int
        Its examples: the product of the batch axes.
    axes : tuple of int
        The batch axes, to be put before those of the outputs.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, SHAPE_MISMATCH or EMPTY_BATCH.
    """
    shape = x.shape
    if x.dtype is not _FLOAT32 and x.dtype != _FLOAT32:
        raise error(Reason.DATA_TYPE_MISMATCH, field="inputs[0].data_type", got=x.dtype, expected="float32")
    split = len(shape) - len(spec.shape)
    if split < 0 or shape[split:] != spec.shape:
        problem = "rank too low" if split < 0 else ""
        expected = shape_text(spec.shape, batch=True)
        raise error(Reason.SHAPE_MISMATCH, problem, field="inputs[0].shape", got=shape_text(shape), expected=expected)
    axes = shape[:split]
    rows = math.prod(axes)
    if rows == 0:
        got, expected = shape_text(shape), "batch axes of 1 or more"
        raise error(Reason.EMPTY_BATCH, "no rows", field="inputs[0].shape", got=got, expected=expected)
    return rows, axes


def check_layers(layers: Sequence[str], known: Mapping[str, ArraySpec]) -> list[ArraySpec]:
    """Return the layers that a request names, in its order.

    Raises
    ------
    InvalidArgumentError
        UNKNOWN_LAYER or DUPLICATE_LAYER.
    """
    chosen: dict[str, ArraySpec] = {}
    for position, name in enumerate(layers):
        field = f"layers[{position}]"
        if name not in known:
            expected = "one of " + ", ".join(known)
            raise error(Reason.UNKNOWN_LAYER, "no such layer", field=field, got=repr(name), expected=expected)
        if name in chosen:
            raise error(Reason.DUPLICATE_LAYER, field=field, got=f"{name!r} again", expected="each layer once")
        chosen[name] = known[name]
    return list(chosen.values())
