"""Models in memory: the same numbers as layer by layer with the oracle, for every way of asking."""

import threading
from typing import Any

import numpy as np
import pytest

from numbatch.engine import load_model
from numbatch.kernels import reference
from numbatch.models import Activation, Dense, Flatten, Input, Sequential, Softmax
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import InvalidArgumentError, MessageTooLargeError
from numbatch.wire.models import array_of
from numbatch.wire.names import DEFAULT_ALPHAS
from numbatch.wire.reasons import Reason
from support.networks import ACTIVATIONS, by_hand


def digits_like() -> Model:
    layers = [Dense(3, "sigmoid"), Dense(40, "relu"), Dense(5, "softmax")]
    return Sequential([Input((10,)), *layers], seed=1).to_message("net")


def batch(rows: int, width: int = 10) -> Any:
    return np.random.default_rng(rows).standard_normal((rows, width)).astype(np.float32)


@pytest.mark.parametrize("rows", [1, 4, 500])
def test_every_layer_equals_the_reference(rows: int) -> None:
    message, x = digits_like(), batch(rows)
    names = ["dense_2", "dense", "dense_1"]
    got = load_model(message).infer(x, layers=names)
    expected = by_hand(message, x)
    assert list(got) == names
    for name in names:
        np.testing.assert_array_equal(got[name], expected[name])


def test_without_layers_the_output_of_the_last_comes_back() -> None:
    model, x = load_model(digits_like()), batch(4)
    np.testing.assert_array_equal(model.infer(x), model.infer(x, layers=["dense_2"])["dense_2"])


@pytest.mark.parametrize("axes", [(), (1,), (4,), (2, 3), (1, 2, 3)])
def test_any_batch_axes_come_back(axes: tuple[int, ...]) -> None:
    model, rows = load_model(digits_like()), batch(6)
    x = rows[: int(np.prod(axes))].reshape(*axes, 10)
    got = model.infer(x)
    assert got.shape == (*axes, 5)
    np.testing.assert_array_equal(got.reshape(-1, 5), model.infer(x.reshape(-1, 10)))


def test_dense_works_on_the_last_axis_and_flatten_joins_the_axes() -> None:
    message = Sequential([Input((4, 6)), Dense(5, "tanh"), Flatten(), Dense(2)], seed=0).to_message("images")
    x = batch(7, 24).reshape(7, 4, 6)
    got = load_model(message).infer(x, layers=["dense", "flatten", "dense_1"])
    rows = reference.dense(x.reshape(28, 6), array_of(message.layers[0].dense.kernel), None, "tanh").reshape(7, 4, 5)
    np.testing.assert_array_equal(got["dense"], rows)
    np.testing.assert_array_equal(got["flatten"], rows.reshape(7, 20))
    last = reference.dense(rows.reshape(7, 20), array_of(message.layers[2].dense.kernel))
    np.testing.assert_array_equal(got["dense_1"], last)


@pytest.mark.parametrize("function", ACTIVATIONS)
def test_an_activation_is_a_layer_too_and_may_follow_a_dense_one(function: str) -> None:
    x, alpha = batch(5), DEFAULT_ALPHAS.get(function)
    layer = Activation(function, alpha=alpha)
    got = load_model(Sequential([Input((10,)), layer]).to_message("alone")).infer(x)
    np.testing.assert_array_equal(got, reference.activate(x, function, alpha or 0.0))
    message = Sequential([Input((10,)), Dense(7, layer)], seed=2).to_message("fused")
    expected = reference.dense(x, array_of(message.layers[0].dense.kernel), None, function, alpha or 0.0)
    np.testing.assert_array_equal(load_model(message).infer(x), expected)


@pytest.mark.parametrize("function", DEFAULT_ALPHAS)
def test_alpha_is_that_of_the_layer(function: str) -> None:
    x = batch(5)
    layers = [Activation(function, alpha=-0.7), Dense(7, Activation(function, alpha=0.3)), Activation(function)]
    message = Sequential([Input((10,)), *layers], seed=2).to_message("alphas")
    message.layers[2].activation.ClearField("alpha")  # then it is the contract's default
    z = reference.activate(x, function, -0.7)
    z = reference.dense(z, array_of(message.layers[1].dense.kernel), None, function, 0.3)
    z = reference.activate(z, function, DEFAULT_ALPHAS[function])
    np.testing.assert_array_equal(load_model(message).infer(x), z)


def test_a_softmax_layer_equals_a_softmax_activation() -> None:
    one = load_model(Sequential([Input((10,)), Dense(4, "softmax")], seed=3).to_message("one"))
    two = load_model(Sequential([Input((10,)), Dense(4), Softmax()], seed=3).to_message("two"))
    np.testing.assert_array_equal(one.infer(batch(9)), two.infer(batch(9)))


def test_layers_may_branch_and_all_outputs_come_back() -> None:
    layers = [Dense(4, "relu", name="trunk"), Dense(4, name="left"), Dense(3, name="right")]
    message = Sequential([Input((10,)), *layers], seed=0).to_message("fork")
    message.layers[2].inputs.append("trunk")
    message.outputs.extend(["right", "left"])
    model, x = load_model(message), batch(30)
    got = model.infer(x, layers=model.summary.outputs)
    trunk = reference.dense(x, array_of(message.layers[0].dense.kernel), None, "relu")
    np.testing.assert_array_equal(got["left"], reference.dense(trunk, array_of(message.layers[1].dense.kernel)))
    with pytest.raises(InvalidArgumentError, match="several outputs"):
        model.infer(x)


def test_the_order_of_the_layers_in_the_message_does_not_matter() -> None:
    layers = [Dense(4, name="a"), Dense(3, name="b"), Dense(2, name="c")]
    message = Sequential([Input((10,)), *layers], seed=0).to_message("net")
    shuffled = Model(name="net", inputs=message.inputs, outputs=["c"])
    for position, source in [(2, "b"), (1, "a"), (0, "input")]:
        shuffled.layers.add().CopyFrom(message.layers[position])
        shuffled.layers[-1].inputs.append(source)
    np.testing.assert_array_equal(load_model(shuffled).infer(batch(3)), load_model(message).infer(batch(3)))


def test_a_long_chain_shares_its_memory_and_keeps_its_bits() -> None:
    layers = [Dense(10 + i % 3, "tanh") for i in range(20)]
    message = Sequential([Input((10,)), *layers], seed=0).to_message("deep")
    x = batch(33)
    np.testing.assert_array_equal(load_model(message).infer(x), by_hand(message, x)["dense_19"])


def test_read_only_and_unaligned_input_is_taken_as_it_is() -> None:
    model, x = load_model(digits_like()), batch(3)
    view = np.frombuffer(b"?" + x.tobytes(), np.float32, offset=1).reshape(3, 10)
    assert not view.flags.aligned
    np.testing.assert_array_equal(model.run({"input": view})[0][1], model.infer(x))


def test_threads_at_once_get_their_own_answers() -> None:
    model = load_model(digits_like())
    batches = [batch(rows) for rows in range(1, 41)]
    expected = [model.infer(x) for x in batches]
    got: list[Any] = [None] * len(batches)
    start = threading.Barrier(4)

    def work(first: int) -> None:
        start.wait()
        for i in range(first, len(batches), 4):
            got[i] = model.infer(batches[i])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_message_comes_back_with_its_weights() -> None:
    message = digits_like()
    model = load_model(message)
    assert model.message() == message
    bare = model.message(include_weights=False)
    assert [layer.dense.kernel.WhichOneof("source") for layer in bare.layers] == [None] * 3
    assert list(bare.layers[0].dense.kernel.shape) == [10, 3]


def test_outputs_over_the_limit_are_refused_before_they_are_computed() -> None:
    with pytest.raises(MessageTooLargeError, match="got 80 bytes, expected at most 79 bytes") as caught:
        load_model(digits_like()).run({"": batch(4)}, max_output_bytes=79)
    assert caught.value.reason is Reason.MESSAGE_TOO_LARGE


@pytest.mark.parametrize(
    ("inputs", "layers", "reason", "text"),
    [
        ({"input": batch(4, 9)}, [], Reason.SHAPE_MISMATCH, "inputs[0].shape: got [4, 9], expected [..., 10]"),
        ({"input": np.float32(3)}, [], Reason.SHAPE_MISMATCH, "inputs[0].shape: rank too low: got []"),
        ({"input": batch(0)}, [], Reason.EMPTY_BATCH, "no rows: got [0, 10]"),
        ({"input": np.zeros((4, 10))}, [], Reason.DATA_TYPE_MISMATCH, "got float64, expected float32"),
        ({"other": batch(4)}, [], Reason.UNKNOWN_INPUT, "no such input: got 'other', expected 'input'"),
        ({"input": batch(4), "": batch(4)}, [], Reason.DUPLICATE_INPUT, "got 2, expected one tensor"),
        ({}, [], Reason.MISSING_INPUT, "got no tensor, expected 'input'"),
        ({"input": batch(4)}, ["dense_9"], Reason.UNKNOWN_LAYER, "layers[0]: no such layer: got 'dense_9'"),
        ({"input": batch(4)}, ["dense", "dense"], Reason.DUPLICATE_LAYER, "layers[1]: got 'dense' again"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(inputs: Any, layers: list[str], reason: Reason, text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        load_model(digits_like()).run({name: np.asarray(x) for name, x in inputs.items()}, layers)
    assert caught.value.reason is reason
    assert text in str(caught.value)
