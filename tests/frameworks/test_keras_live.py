"""Live models: Sequential, Functional, and classes of one's own, whose call() is traced."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
keras: Any = pytest.importorskip("keras", reason="the models are those of Keras")

from keras import layers, ops  # noqa: E402

from numbatch.convert.converted import Converted  # noqa: E402
from numbatch.convert.keras import from_keras  # noqa: E402
from numbatch.convert.verification import verify  # noqa: E402
from numbatch.engine import load_model  # noqa: E402
from numbatch.wire.errors import InvalidModelError, UnsupportedError  # noqa: E402
from support.agreement import ulps  # noqa: E402

MOST_ULPS = 16.0  # a few layers, whose sums are in other orders: 4 is the most seen


def assert_agrees(converted: Converted, seed: int = 0, rows: int = 9) -> None:
    rng = np.random.default_rng(seed)
    given = {
        spec.name: rng.integers(0, 5, (rows, *spec.shape)).astype(np.int32)
        if spec.name.endswith("ids")
        else rng.normal(size=(rows, *spec.shape)).astype(np.float32)
        for spec in converted.model.inputs
    }
    computed = load_model(converted.model).infer(given, layers=list(converted.model.outputs))
    assert converted.reference is not None
    expected = converted.reference(given)
    assert list(computed) == list(expected)
    for name in expected:
        assert ulps(computed[name], expected[name]) <= MOST_ULPS, name


def names(converted: Converted) -> list[str]:
    return [layer.name for layer in converted.model.layers]


class Residual(layers.Layer):
    """A layer built of layers."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.dense = layers.Dense(units, "relu", name="dense")
        self.dropout = layers.Dropout(0.5, name="dropout")
        self.norm = layers.LayerNormalization(name="norm")

    def call(self, x: Any, training: bool = False) -> Any:
        return self.norm(self.dropout(self.dense(x), training=training) + x)


class Affine(layers.Layer):
    """A dense layer by hand."""

    def build(self, shape: Any) -> None:
        self.w = self.add_weight(shape=(shape[-1], 3), initializer="random_normal")
        self.b = self.add_weight(shape=(3,), initializer="random_normal")

    def call(self, x: Any) -> Any:
        return ops.tanh(ops.matmul(x, self.w) + self.b)


class Net(keras.Model):
    """A model of such layers, one of them used twice."""

    def __init__(self) -> None:
        super().__init__(name="net")
        self.first = layers.Dense(4, name="first")
        self.block = Residual(4, name="block")
        self.last = Affine(name="last")

    def call(self, x: Any) -> Any:
        return self.last(self.block(self.block(self.first(x))))


def test_a_subclassed_model_becomes_its_layers() -> None:
    net = Net()
    net(np.ones((1, 5), np.float32))
    converted = from_keras(net)
    assert names(converted) == [
        "first",
        "block/dense",
        "block/add",
        "block/norm",
        "block:2/dense",
        "block:2/add",
        "block:2/norm",
        "last/matmul",
        "last/add",
        "last/tanh",
    ]
    assert_agrees(converted)


def test_tracing_twice_gives_the_same_model() -> None:
    net = Net()
    net(np.ones((1, 5), np.float32))
    assert from_keras(net).model == from_keras(net).model


def test_a_subclassed_model_within_a_functional_one() -> None:
    x, y = keras.Input((5,), name="x"), keras.Input((3,), name="y")
    converted = from_keras(keras.Model([x, y], layers.Average(name="mean")([Net()(x), y]), name="outer"))
    assert converted.model.outputs == ["mean"]
    assert "net/block:2/dense" in names(converted)
    assert_agrees(converted)


def test_inputs_and_outputs_in_dicts() -> None:
    class Scores(keras.Model):
        def __init__(self) -> None:
            super().__init__(name="scores")
            self.embedding = layers.Embedding(5, 3, mask_zero=True, name="words")
            self.mean = layers.GlobalAveragePooling1D(name="mean")
            self.dense = layers.Dense(3, "tanh", name="dense")

        def call(self, given: Any) -> Any:
            words = self.mean(self.embedding(given["ids"]))
            return {"both": self.dense(given["x"]) * words, "words": words}

    model = Scores()
    model({"x": np.ones((1, 4), np.float32), "ids": np.ones((1, 2), np.int32)})
    converted = from_keras(model)
    assert {spec.name: list(spec.shape) for spec in converted.model.inputs} == {"ids": [2], "x": [4]}
    assert "the output 'both' is called multiply" in converted.notes
    given = {"x": np.ones((2, 4), np.float32), "ids": np.array([[1, 0], [2, 3]], np.int32)}
    computed = load_model(converted.model).infer(given, layers=list(converted.model.outputs))
    assert converted.reference is not None
    for name, expected in converted.reference(given).items():
        assert ulps(computed[name], expected) <= MOST_ULPS


def test_verification_passes_where_padding_is_left_out() -> None:
    ids, x = keras.Input((4,), dtype="int32", name="ids"), keras.Input((3,), name="x")
    mean = layers.GlobalAveragePooling1D(name="mean")(layers.Embedding(9, 5, mask_zero=True, name="items")(ids))
    score = layers.Dense(1, "sigmoid", name="score")(layers.Concatenate(name="both")([x, mean]))
    assert verify(from_keras(keras.Model([ids, x], score))).passed


def test_a_sequential_that_was_called_knows_its_shape() -> None:
    model = keras.Sequential([layers.Dense(3, "relu", name="hidden"), Residual(3, name="block")], name="chain")
    model(np.ones((1, 4), np.float32))
    assert_agrees(from_keras(model))


def test_a_model_of_a_class_of_its_own_that_trains_in_its_own_way() -> None:
    class Custom(keras.Model):
        def train_step(self, data: Any) -> Any:
            raise NotImplementedError

    x = keras.Input((4,), name="x")
    converted = from_keras(Custom(x, layers.Dense(2, name="dense")(x), name="custom"))
    assert names(converted) == ["dense"]
    assert_agrees(converted)


@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_a_file_of_such_a_model_is_read_and_a_note_says_what_is_taken_for_granted(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable(package="tests")
    class Trained(keras.Model):
        def train_step(self, data: Any) -> Any:
            raise NotImplementedError

    x = keras.Input((4,), name="x")
    Trained(x, layers.Dense(2, name="dense")(x), name="custom").save(tmp_path / "m.keras")
    converted = from_keras(tmp_path / "m.keras")
    assert names(converted) == ["dense"]
    assert converted.notes == ("models of the class Trained are taken to call their layers as listed",)


def test_functions_of_keras_are_served() -> None:
    x = keras.Input((6,), name="x")
    z = 3.0 - ops.clip(ops.square(x) - 1.0, 0.0, 2.0) / 2.0
    z = ops.maximum(-(z**3), 0.0) + ops.reshape(ops.squeeze(ops.expand_dims(x, 1), 1), (-1, 6))
    z = ops.reshape(z, (-1, 2, 3)) * np.arange(6.0).reshape(2, 3) + np.ones((1, 2, 1))
    assert_agrees(from_keras(keras.Model(x, z)))


def test_parts_of_examples_are_served() -> None:
    x, y = keras.Input((6,), name="x"), keras.Input((3, 4), name="y")
    z = ops.tanh(y)
    parts = [x[:, 1:3], ops.relu(x[:, -2:]), z[:, 0], z[..., 1:], z[:, 1:3], y[:, :2]]
    assert_agrees(from_keras(keras.Model([x, y], parts)))


def test_columns_of_row_numbers_are_looked_up_each_in_its_table() -> None:
    ids = keras.Input((4,), dtype="int32", name="ids")
    colour = layers.Embedding(5, 3, name="colour")(ids[:, 0])
    size = layers.Flatten(name="size")(layers.Embedding(7, 2, name="sizes")(ids[:, 1:2]))
    words = layers.GlobalAveragePooling1D(name="words")(layers.Embedding(9, 2, name="word")(ids[:, 2:]))
    converted = from_keras(keras.Model(ids, layers.Concatenate(name="all")([colour, size, words])))
    parts = [
        (layer.embedding.start, layer.embedding.stop) for layer in converted.model.layers if layer.HasField("embedding")
    ]
    assert sorted(parts) == [(0, 1), (1, 2), (2, 4)]
    assert_agrees(converted)


def test_normalisations_over_any_axes_of_an_example() -> None:
    x = keras.Input((3, 4), name="x")
    every = [
        layers.Normalization(axis=-1, mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 2.0, 0.5, 4.0]),
        layers.Normalization(axis=(1, 2), mean=np.ones((3, 4)), variance=np.full((3, 4), 2.0)),
        layers.Normalization(axis=1, mean=[1.0, 2.0, 3.0], variance=[3.0, 2.0, 1.0]),
        layers.Normalization(axis=None, mean=1.0, variance=2.0),
        layers.Normalization(axis=-1, invert=True, mean=[1.0, 2.0, 3.0, 4.0], variance=[1.0, 2.0, 3.0, 4.0]),
        layers.Rescaling(2.0, [1.0, 2.0, 3.0, 4.0]),
    ]
    adapted = layers.Normalization(name="adapted")
    adapted.adapt(np.random.default_rng(0).normal(3, 2, (50, 3, 4)).astype(np.float32))
    assert_agrees(from_keras(keras.Model(x, [layer(x) for layer in [*every, adapted]])))


def test_a_constant_feature_is_divided_by_what_keras_divides_by() -> None:
    given = keras.Input((2,), name="x")
    model = keras.Model(given, layers.Normalization(mean=[1.0, 1.0], variance=[0.0, 4.0])(given))
    x = np.array([[1 + 2e-7, 3.0]], np.float32)
    np.testing.assert_allclose(load_model(from_keras(model).model).infer(x), np.asarray(model(x)), rtol=1e-6)


def test_mixed_precision_is_served_in_float32() -> None:
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(3, dtype="mixed_float16", name="dense")(x))
    converted = from_keras(model)
    assert converted.notes == ("computed in float32, where Keras has the policy mixed_float16",)
    kernel = np.asarray(model.get_layer("dense").kernel)
    computed = load_model(converted.model).infer(np.eye(4, dtype=np.float32))
    np.testing.assert_array_equal(computed, kernel)


def test_float64_weights_are_rounded() -> None:
    x = keras.Input((4,), name="x")
    converted = from_keras(keras.Model(x, layers.Dense(3, dtype="float64", name="dense")(x)))
    assert "float64 weights are rounded to float32" in converted.notes


def test_a_model_that_was_never_built_says_what_to_do() -> None:
    with pytest.raises(InvalidModelError, match=r"net: the model was never built.*call it once with arrays"):
        from_keras(Net())


def test_a_call_that_leaves_keras_says_where() -> None:
    class Leaves(keras.Model):
        def call(self, x: Any) -> Any:
            return np.tanh(x)

    model = Leaves(name="leaves")
    model.build((None, 3))
    with pytest.raises(UnsupportedError, match=r"leaves: its call\(\) cannot be traced.*keras\.ops"):
        from_keras(model)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`:UserWarning")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda x: x[:, ::2],
            r"get_item.*: elements that are served no .*: got keras.ops.GetItem, expected .*x\[:, 1:3\]",
        ),
        (lambda x: ops.tanh(x[:, 3]), r"tanh.*: it takes one element of an input.* x\[:, 3:4\]"),
        (lambda x: ops.matmul(x, ops.transpose(x)), "keras.ops.Transpose"),
        (lambda x: ops.where(x > 0, x, 0.0), "a function that is not served"),
        (lambda x: layers.Dropout(0.5, name="mc")(x, training=True), "mc: called with training=True"),
        (lambda x: layers.Lambda(lambda y: y + 1, name="shift")(x), "shift: .*its code is not run"),
        (lambda x: layers.Dense(2, activation=lambda y: y, name="own")(x), "own: its activation, .* none that can be"),
        (lambda x: x / x, "a division by what is computed"),
        (lambda x: ops.add(x, np.ones((4, 4))), r"a constant of shape \[4, 4\] with examples of shape \[4\]"),
    ],
)
def test_what_cannot_be_served_is_named(make: Any, message: str) -> None:
    x = keras.Input((4,), name="x")
    with pytest.raises(UnsupportedError, match=message):
        from_keras(keras.Model(x, make(x)))


def test_an_input_of_numbers_and_row_numbers_is_refused() -> None:
    x = keras.Input((4,), name="x")
    flat = layers.Flatten()(layers.Embedding(5, 2, name="table")(x))
    with pytest.raises(UnsupportedError, match="the input x is taken both as numbers and as row numbers"):
        from_keras(keras.Model(x, layers.Concatenate()([flat, x])))
