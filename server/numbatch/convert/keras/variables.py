"""Which variables a layer has, and in which order Keras keeps them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from numbatch.convert.keras.network import Operation
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array


class Names(NamedTuple):
    """The names of a layer's variables.

    Attributes
    ----------
    trained : tuple of str
        Those that are trained.
    kept : tuple of str
        Those that are not: statistics.
    """

    trained: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def variable_names(operation: Operation) -> Names | None:
    """Return the names of a layer's variables; None for a class of which nothing is known here."""
    config = operation.config
    if operation.kind == "Dense":
        return Names(("kernel", *_given(config, use_bias="bias")))
    if operation.kind == "Embedding":
        return Names(("embeddings",))
    if operation.kind == "BatchNormalization":
        return Names(_given(config, scale="gamma", center="beta"), ("moving_mean", "moving_variance"))
    if operation.kind == "LayerNormalization":
        return Names(_given(config, scale="gamma", center="beta"))
    if operation.kind == "Normalization":
        return Names((), () if config.get("mean") is not None else ("mean", "variance", "count"))
    if operation.kind.startswith("ops.") or operation.kind in WITHOUT_VARIABLES:
        return Names()
    return None


WITHOUT_VARIABLES = frozenset(
    "InputLayer Activation ReLU LeakyReLU ELU Softmax Add Subtract Multiply Average Concatenate Maximum "
    "Minimum Dot Flatten Reshape Permute RepeatVector Dropout AlphaDropout GaussianDropout GaussianNoise "
    "SpatialDropout1D SpatialDropout2D SpatialDropout3D ActivityRegularization Identity Masking Rescaling "
    "GlobalAveragePooling1D Lambda".split()
)


def _given(config: Mapping[str, Any], **names: str) -> tuple[str, ...]:
    return tuple(name for flag, name in names.items() if config.get(flag, True))


def name_variables(operation: Operation, arrays: Sequence[Array]) -> None:
    """Give a layer its variables, which come in the order in which Keras saves them.

    Raises
    ------
    InvalidModelError
        WEIGHTS_MISMATCH, if these are not as many as its description says.
    """
    names = variable_names(operation)
    if names is None:
        return
    expected = (*names.trained, *names.kept)
    if len(arrays) != len(expected):
        raise error(
            Reason.WEIGHTS_MISMATCH,
            "the weights are those of another model, or of a layer that Keras saved elsewhere",
            field=operation.name,
            got=f"{len(arrays)} arrays",
            expected=", ".join(expected) or "none",
            hint="a layer shared between a model and one nested in it is saved once only: pass the live model",
        )
    operation.variables = dict(zip(expected, arrays, strict=True))


def as_floats(array: Array) -> Array:
    """Return bfloat16, which HDF5 knows as two bytes without a meaning, as float32; others as they are."""
    if array.dtype.kind == "V" and array.dtype.itemsize == 2:
        return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
    return array
