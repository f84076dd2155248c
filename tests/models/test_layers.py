"""Layers, one by one: the shapes they give, their weights in the order of Keras, and what NumPy makes of them."""

from typing import Any

import numpy as np
import pytest

from numbatch.models import (
    ELU,
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Layer,
    LayerNormalization,
    LeakyReLU,
    Model,
    Multiply,
    Normalization,
    ReLU,
    Reshape,
    Sequential,
    Softmax,
)
from numbatch.v1.model_pb2 import Activation as ActivationMessage
from numbatch.wire.models import array_of
from numbatch.wire.names import activation_function
from support import numpy_model


def output(layer: Layer, x: Any) -> Any:
    """What a layer makes of a batch, by NumPy in float64."""
    x = np.asarray(x)
    dtype = "int32" if x.dtype.kind == "i" else "float32"
    model = Sequential([Input(x.shape[1:], name="x", dtype=dtype), layer], seed=1)
    return list(numpy_model.run(model.to_message(), {"x": x}).values())[-1]


def test_dense_multiplies_by_its_kernel_and_adds_its_bias() -> None:
    layer = Dense(2, "relu", weights=[[[1, -1], [2, -2], [3, -3]], [0.5, 0.5]])
    np.testing.assert_allclose(output(layer, [[1.0, 1.0, 1.0]]), [[6.5, 0]])
    np.testing.assert_array_equal(layer.kernel, [[1, -1], [2, -2], [3, -3]])
    np.testing.assert_array_equal(layer.bias, [0.5, 0.5])
    assert layer.count_params() == 8


def test_dense_works_on_the_last_axis() -> None:
    assert Dense(5)(Input((4, 6))).shape == (None, 4, 5)


def test_dense_without_a_bias_has_none() -> None:
    layer = Dense(3, use_bias=False)
    layer(Input((2,)))
    assert layer.bias is None
    assert [each.shape for each in layer.get_weights()] == [(2, 3)]


def test_batch_normalization_has_the_weights_of_keras() -> None:
    gamma, beta, mean, variance = [2.0, 3.0], [1.0, -1.0], [10.0, 20.0], [4.0, 9.0]
    layer = BatchNormalization(epsilon=1e-5, weights=[gamma, beta, mean, variance])
    x = np.array([[12.0, 26.0], [10.0, 20.0]])
    expected = (x - mean) / np.sqrt(np.add(variance, 1e-5)) * gamma + beta
    np.testing.assert_allclose(output(layer, x), expected, rtol=1e-7)
    got = [layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance]
    np.testing.assert_array_equal(got, [gamma, beta, mean, variance])


def test_a_batch_normalization_may_have_neither_scale_nor_centre() -> None:
    layer = BatchNormalization(center=False, scale=False)
    layer(Input((4,)))
    assert (layer.gamma, layer.beta, layer.count_params()) == (None, None, 8)


def test_layer_normalization_takes_the_statistics_of_each_row() -> None:
    got = output(LayerNormalization(weights=[[2, 2], [1, 1]]), [[1.0, 3.0], [-5.0, 5.0]])
    np.testing.assert_allclose(got, [[-1, 3], [-1, 3]], rtol=1e-3)


def test_normalization_adapts_to_data() -> None:
    data = np.random.default_rng(1).normal([5.0, -3.0, 0.0], [2.0, 0.1, 1e3], (1000, 3))
    layer = Normalization()
    layer.adapt(data)
    got = output(layer, data)
    np.testing.assert_allclose(got.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(got.std(0), 1, rtol=1e-6)


def test_normalization_adapts_over_all_axes_but_the_last() -> None:
    layer = Normalization()
    layer.adapt(np.arange(24).reshape(2, 3, 4))
    np.testing.assert_array_equal(layer.mean, [10, 11, 12, 13])


def test_a_feature_that_does_not_vary_becomes_zero() -> None:
    layer = Normalization()
    layer.adapt([[7.0, 1.0], [7.0, 3.0]])
    np.testing.assert_array_equal(output(layer, [[7.0, 2.0]]), [[0, 0]])


def test_normalization_may_be_given_its_statistics() -> None:
    np.testing.assert_allclose(output(Normalization(mean=1.0, variance=4.0), [[5.0, 1.0]]), [[2, 0]])
    np.testing.assert_allclose(output(Normalization(mean=[1, 2], variance=[4, 9]), [[5.0, 5.0]]), [[2, 1]])


def test_an_embedding_looks_rows_up() -> None:
    table = [[0, 0], [1, 10], [2, 20], [3, 30]]
    ids = np.array([[1, 3, 0], [2, 2, 2]])
    np.testing.assert_array_equal(output(Embedding(4, 2, weights=[table]), ids)[0], [[1, 10], [3, 30], [0, 0]])
    pooled = Embedding(4, 2, pooling="mean", mask_zero=True, weights=[table])
    np.testing.assert_array_equal(output(pooled, ids), [[2, 20], [2, 20]])
    np.testing.assert_array_equal(output(Embedding(4, 2, pooling="sum", weights=[table]), ids), [[4, 40], [6, 60]])


def test_rows_of_an_embedding_are_small_at_first() -> None:
    layer = Embedding(1000, 8)
    layer(Input((3,), dtype="int32"))
    assert 0.049 < np.abs(layer.embeddings).max() <= np.float32(0.05)


ACTIVATIONS: list[tuple[Layer, str, float | None]] = [
    (Activation("relu"), "relu", None),
    (Activation("gelu"), "gelu_erf", None),
    (Activation("gelu_tanh"), "gelu_tanh", None),
    (Activation("swish"), "silu", None),
    (Activation("hard_swish"), "hard_silu", None),
    (Activation("elu"), "elu", None),
    (Activation("elu", alpha=0.5), "elu", 0.5),
    (Activation("leaky_relu"), "leaky_relu", 0.2),
    (LeakyReLU(), "leaky_relu", 0.3),
    (ELU(), "elu", 1.0),
    (ReLU(), "relu", None),
    (ReLU(max_value=6), "relu6", None),
    (ReLU(negative_slope=0.5), "leaky_relu", 0.5),
]


@pytest.mark.parametrize(("layer", "name", "alpha"), ACTIVATIONS, ids=lambda each: str(each))
def test_activations_mean_what_they_mean_in_keras(layer: Activation, name: str, alpha: float | None) -> None:
    expected = ActivationMessage(function=activation_function(name), alpha=alpha)
    assert Sequential([Input((2,)), layer]).to_message().layers[0].activation == expected
    assert Sequential([Input((2,)), Dense(2, layer)]).to_message().layers[0].dense.activation == expected


def test_softmax_is_a_layer_of_its_own() -> None:
    assert Sequential([Input((2,)), Softmax()]).to_message().layers[0].HasField("softmax")
    np.testing.assert_allclose(output(Softmax(), [[1.0, 1.0]]), [[0.5, 0.5]])


def test_arithmetic_of_symbols() -> None:
    x, y = Input((2,), name="x"), Input((2,), name="y")
    gate = Dense(2, "sigmoid", weights=[np.zeros((2, 2)), np.zeros(2)])(x)
    result = gate * x + (1 - gate) * y - [1, 2] + np.array([10.0, 20.0]) * (-x / 2)
    message = Model([x, y], result).to_message()
    values = {"x": np.array([[2.0, 4.0]]), "y": np.array([[6.0, 8.0]])}
    got = numpy_model.run(message, values)[message.outputs[0]]
    np.testing.assert_allclose(got, [[0.5 * 2 + 0.5 * 6 - 1 - 10, 0.5 * 4 + 0.5 * 8 - 2 - 40]])


def test_sums_products_and_neighbours() -> None:
    x, y, z = (Input((2,), name=name) for name in "xyz")
    outputs = [Add(name="sum")([x, y, z]), Multiply(name="product")([x, y, z]), Concatenate(name="all")([x, y, z])]
    message = Model([x, y, z], outputs).to_message()
    got = numpy_model.run(message, {"x": [[1.0, 2.0]], "y": [[3.0, 4.0]], "z": [[5.0, 6.0]]})
    np.testing.assert_array_equal(got["sum"], [[9, 12]])
    np.testing.assert_array_equal(got["product"], [[15, 48]])
    np.testing.assert_array_equal(got["all"], [[1, 2, 3, 4, 5, 6]])


def test_shapes_are_changed() -> None:
    x = Input((2, 6))
    assert Flatten()(x).shape == (None, 12)
    assert Reshape((3, 4))(x).shape == (None, 3, 4)
    assert Reshape((-1, 2))(x).shape == (None, 6, 2)


def test_dropout_is_left_out_of_the_message() -> None:
    model = Sequential([Input((2,)), Dense(2), Dropout(0.3), Dense(1), Dropout(0.3)], seed=1)
    assert [layer.name for layer in model.to_message().layers] == ["dense", "dense_1"]
    assert [layer.name for layer in model.layers] == ["dense", "dropout", "dense_1", "dropout_1"]


def test_what_only_training_needs_is_accepted() -> None:
    Dense(2, kernel_regularizer="l2", bias_constraint=None, activity_regularizer=None, trainable=False)
    BatchNormalization(momentum=0.9, synchronized=True)
    with pytest.raises(TypeError, match=r"Dense\(\) got an unexpected keyword argument 'kernel_initialiser'"):
        Dense(2, kernel_initialiser="zeros")


def test_weights_are_the_layers_own() -> None:
    kernel = np.ones((2, 2), np.float32)
    layer = Dense(2, use_bias=False, weights=[kernel])
    layer(Input((2,)))
    kernel[:] = 7
    layer.get_weights()[0][:] = 8
    np.testing.assert_array_equal(layer.kernel, np.ones((2, 2)))
    with pytest.raises(ValueError, match="read-only"):
        layer.kernel[:] = 9


def test_weights_set_are_weights_got_to_the_bit() -> None:
    layer, rng = Dense(3), np.random.default_rng(1)
    layer(Input((4,)))
    weights = [rng.standard_normal((4, 3)).astype(np.float32), rng.standard_normal(3).astype(np.float32)]
    layer.set_weights(weights)
    for got, expected in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(got, expected, strict=True)
    message = Sequential([Input((4,)), layer]).to_message()
    np.testing.assert_array_equal(array_of(message.layers[0].dense.kernel), weights[0], strict=True)


def test_objects_say_what_they_are() -> None:
    x = Input((4,), name="x")
    assert repr(Dense(3, name="hidden")(x)) == "<Symbol hidden: (None, 3) float32>"
    assert repr(Input((2,), dtype="int32")) == "<Symbol input: (None, 2) int32>"
    assert repr(Dense(3)) == "<Dense dense>"
    assert repr(Sequential([x, Dense(3)], name="net")) == "<Sequential net: 1 layers, 15 parameters>"
    assert repr(Sequential([Dense(3)])) == "<Sequential sequential: not built>"
