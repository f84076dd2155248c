"""Weights in messages: what goes in comes out, and what is damaged says where."""

import numpy as np
import pytest

from numbatch.v1.model_pb2 import ACTIVATION_FUNCTION_TANH, Activation, Dense, Layer, Weights
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.models import array_of, set_weights, weights_of
from numbatch.wire.reasons import Reason


def test_replaced_weights_bring_their_units_and_leave_no_old_bias() -> None:
    tanh = Activation(function=ACTIVATION_FUNCTION_TANH)
    layer = Layer(
        dense=Dense(units=3, activation=tanh, kernel=weights_of(np.zeros((4, 3))), bias=weights_of(np.zeros(3)))
    )
    set_weights(layer, np.ones((4, 5)), np.ones(5))
    assert (layer.dense.units, list(layer.dense.bias.shape)) == (5, [5])
    set_weights(layer, np.ones((4, 2)))
    assert layer.dense == Dense(units=2, kernel=weights_of(np.ones((4, 2))), activation=tanh)


def test_weights_are_read_back_as_they_were_given() -> None:
    array = np.array([[1, -0.0], [np.inf, 1e-45]], np.float32)
    assert array_of(weights_of(array)).tobytes() == array.tobytes()
    unspecified = Weights(shape=[2], data=bytes(8))
    np.testing.assert_array_equal(array_of(unspecified), np.zeros(2, np.float32), strict=True)


def test_weights_shorter_than_their_shape_name_their_place() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^layers\[0\]\.kernel\.data: .*got 4 bytes, expected 8") as caught:
        array_of(Weights(data_type=DATA_TYPE_FLOAT32, shape=[2], data=bytes(4)), "layers[0].kernel")
    assert caught.value.reason is Reason.BYTE_COUNT_MISMATCH
