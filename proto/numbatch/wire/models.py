"""Weights: arrays <-> messages. `numbatch.models` builds models; `numbatch.wire.graph` writes their messages.

>>> layer = Layer()
>>> set_weights(layer, kernel=[[1.0, 2.0, 3.0]] * 10, bias=[0.0] * 3)
>>> array_of(layer.dense.kernel).shape, layer.dense.units
((10, 3), 3)
"""

from typing import Protocol

import numpy.typing as npt

from numbatch.v1.model_pb2 import Layer, Model, Weights
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, Tensor
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array, array_bytes, as_float32, read_tensor

NUMERIC_CONTRACT = "f32-1"


class HasMessage(Protocol):
    """What can be told as a Model message, as the models of `numbatch.models` can."""

    def to_message(self) -> Model:
        """Return the message."""


def as_message(model: Model | HasMessage) -> Model:
    """Return the message that a model is or has.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if it is no model.
    """
    if isinstance(model, Model):
        return model
    if not hasattr(model, "to_message"):
        expected = "a Model message, or a model of numbatch.models"
        raise error(Reason.INVALID_FIELD, field="model", got=type(model).__name__, expected=expected)
    return model.to_message()


def weights_of(array: npt.ArrayLike) -> Weights:
    """Return the message that holds an array as inline float32 weights."""
    values = as_float32(array, "weights")
    return Weights(data_type=DATA_TYPE_FLOAT32, shape=values.shape, data=bytes(array_bytes(values)))


def array_of(weights: Weights, field: str = "weights") -> Float32Array:
    """Return inline weights as a read-only array.

    Raises
    ------
    InvalidArgumentError
        DATA_TYPE_MISMATCH, SHAPE_MISMATCH or BYTE_COUNT_MISMATCH.
    """
    header = Tensor(data_type=weights.data_type or DATA_TYPE_FLOAT32, shape=weights.shape)
    return read_tensor(header, weights.data, field)


def set_weights(layer: Layer, kernel: npt.ArrayLike, bias: npt.ArrayLike | None = None) -> None:
    """Replace the weights of a dense layer; `units` follows the kernel, and without `bias` there is none."""
    layer.dense.kernel.CopyFrom(weights_of(kernel))
    layer.dense.units = layer.dense.kernel.shape[-1]
    layer.dense.ClearField("bias")
    if bias is not None:
        layer.dense.bias.CopyFrom(weights_of(bias))
