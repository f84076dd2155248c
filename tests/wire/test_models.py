"""Building models in Python: shapes, seeds and the defaults of Keras."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from numbatch.v1.model_pb2 import (
    ACTIVATION_FUNCTION_ELU,
    ACTIVATION_FUNCTION_LEAKY_RELU,
    ACTIVATION_FUNCTION_SIGMOID,
    ACTIVATION_FUNCTION_TANH,
    Activation,
    Dense,
    Flatten,
    InputSpec,
    Layer,
    Model,
    Softmax,
    Weights,
)
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.models import (
    activation,
    array_of,
    dense,
    flatten,
    glorot_uniform,
    sequential,
    set_weights,
    softmax,
    weights_of,
)
from numbatch.wire.reasons import Reason


def test_a_sequential_model_is_written_out_in_full() -> None:
    kernel, bias = np.array([[1, 2], [3, 4]], np.float32), np.array([5, 6], np.float32)
    layers = [
        dense(2, "sigmoid", kernel=kernel, bias=bias),
        activation("tanh", name="squash"),
        dense(2, kernel=kernel, use_bias=False),
        softmax(),
    ]
    assert sequential("tiny", [2], layers) == Model(
        name="tiny",
        numeric_contract="f32-1",
        inputs=[InputSpec(name="input", data_type=DATA_TYPE_FLOAT32, shape=[2])],
        layers=[
            Layer(
                name="dense_0",
                dense=Dense(
                    units=2,
                    kernel=weights_of(kernel),
                    bias=weights_of(bias),
                    activation=Activation(function=ACTIVATION_FUNCTION_SIGMOID),
                ),
            ),
            Layer(name="squash", activation=Activation(function=ACTIVATION_FUNCTION_TANH)),
            Layer(name="dense_2", dense=Dense(units=2, kernel=weights_of(kernel))),
            Layer(name="softmax_3", softmax=Softmax()),
        ],
    )


def test_dense_works_on_the_last_axis_and_flatten_joins_all() -> None:
    model = sequential("images", [4, 6], [dense(5), flatten(), dense(3)], seed=0)
    assert [list(layer.dense.kernel.shape) for layer in model.layers] == [[6, 5], [], [20, 3]]
    assert model.layers[1] == Layer(name="flatten_1", flatten=Flatten())


def test_kernels_not_given_are_glorot_uniform_and_biases_zero() -> None:
    model = sequential("wide", [200], [dense(300)], seed=3)
    kernel, bias = array_of(model.layers[0].dense.kernel), array_of(model.layers[0].dense.bias)
    limit = math.sqrt(6 / 500)
    assert kernel.shape == (200, 300)
    assert np.abs(kernel).max() == pytest.approx(limit, rel=1e-3)
    assert np.abs(kernel).max() <= np.float32(limit)
    assert kernel.mean() == pytest.approx(0, abs=limit / 100)
    assert kernel.std() == pytest.approx(limit / math.sqrt(3), rel=0.01)
    np.testing.assert_array_equal(bias, np.zeros(300, np.float32), strict=True)


def test_a_seed_gives_the_same_kernels_and_another_seed_others() -> None:
    first, again, other = (sequential("m", [4], [dense(3), dense(2)], seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    np.testing.assert_array_equal(
        array_of(first.layers[0].dense.kernel), glorot_uniform(4, 3, np.random.default_rng(1)), strict=True
    )


def test_an_alpha_is_in_the_message_only_if_it_is_given() -> None:
    layers = [dense(2, "elu", alpha=0.5), dense(2, "elu"), activation("leaky_relu", alpha=0.0)]
    first, second, third = sequential("m", [4], layers).layers
    assert first.dense.activation == Activation(function=ACTIVATION_FUNCTION_ELU, alpha=0.5)
    assert second.dense.activation == Activation(function=ACTIVATION_FUNCTION_ELU)
    assert third.activation == Activation(function=ACTIVATION_FUNCTION_LEAKY_RELU, alpha=0.0)
    assert third.activation.HasField("alpha")


def test_replaced_weights_bring_their_units_and_leave_no_old_bias() -> None:
    layer = sequential("m", [4], [dense(3, "tanh")], seed=1).layers[0]
    set_weights(layer, np.ones((4, 5)), np.ones(5))
    assert (layer.dense.units, list(layer.dense.bias.shape)) == (5, [5])
    set_weights(layer, np.ones((4, 2)))
    assert layer.dense == Dense(
        units=2, kernel=weights_of(np.ones((4, 2))), activation=Activation(function=ACTIVATION_FUNCTION_TANH)
    )


def test_weights_are_read_back_as_they_were_given() -> None:
    array = np.array([[1, -0.0], [np.inf, 1e-45]], np.float32)
    assert array_of(weights_of(array)).tobytes() == array.tobytes()
    unspecified = Weights(shape=[2], data=bytes(8))
    np.testing.assert_array_equal(array_of(unspecified), np.zeros(2, np.float32), strict=True)


def test_weights_shorter_than_their_shape_name_their_place() -> None:
    with pytest.raises(InvalidArgumentError, match=r"^layers\[0\]\.kernel\.data: .*got 4 bytes, expected 8") as caught:
        array_of(Weights(data_type=DATA_TYPE_FLOAT32, shape=[2], data=bytes(4)), "layers[0].kernel")
    assert caught.value.reason is Reason.BYTE_COUNT_MISMATCH


BAD_MODELS: dict[str, tuple[Callable[[], object], Reason, str]] = {
    "no units": (lambda: dense(0), Reason.INVALID_FIELD, "units: got 0, expected 1 or more"),
    "an alpha of a function that has none": (
        lambda: dense(1, "relu", alpha=0.5),
        Reason.INVALID_FIELD,
        "alpha: relu has no alpha: got 0.5, expected none",
    ),
    "an alpha that is not finite": (
        lambda: activation("elu", alpha=float("nan")),
        Reason.INVALID_FIELD,
        "alpha: got nan, expected a finite number",
    ),
    "no layers": (lambda: sequential("m", [2], []), Reason.INVALID_FIELD, "layers: got none, expected one or more"),
    "no axes": (
        lambda: sequential("m", [], [dense(1)]),
        Reason.INVALID_FIELD,
        "input_shape: got [], expected one or more axes of 1 or more",
    ),
    "an empty axis": (
        lambda: sequential("m", [3, 0], [dense(1)]),
        Reason.INVALID_FIELD,
        "input_shape: got [3, 0], expected one or more axes of 1 or more",
    ),
    "a kernel that does not follow": (
        lambda: sequential("m", [3], [dense(2), dense(1, kernel=np.ones((3, 1)))]),
        Reason.SHAPE_MISMATCH,
        "layers[1].kernel.shape: got [3, 1], expected [2, 1]",
    ),
    "a bias of another layer": (
        lambda: sequential("m", [3], [dense(2, bias=[1, 2, 3])]),
        Reason.SHAPE_MISMATCH,
        "layers[0].bias.shape: got [3], expected [2]",
    ),
}


@pytest.mark.parametrize(("build", "reason", "message"), BAD_MODELS.values(), ids=BAD_MODELS.keys())
def test_parts_that_do_not_fit_are_refused(build: Callable[[], object], reason: Reason, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        build()
    assert (caught.value.reason, caught.value.message) == (reason, message)
