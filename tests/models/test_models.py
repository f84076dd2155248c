"""Models built by hand: sequential, of symbols and as classes, and the messages that they become."""

from typing import Any

import numpy as np
import pytest

from numbatch.models import (
    Activation,
    BatchNormalization,
    Concatenate,
    Dense,
    Embedding,
    Flatten,
    Input,
    Model,
    Multiply,
    Sequential,
    Softmax,
)
from numbatch.v1.model_pb2 import (
    ACTIVATION_FUNCTION_LINEAR,
    ACTIVATION_FUNCTION_SIGMOID,
    ACTIVATION_FUNCTION_TANH,
    InputSpec,
)
from numbatch.v1.model_pb2 import Activation as ActivationMessage
from numbatch.v1.model_pb2 import Dense as DenseMessage
from numbatch.v1.model_pb2 import Layer as LayerMessage
from numbatch.v1.model_pb2 import Model as ModelMessage
from numbatch.v1.model_pb2 import Softmax as SoftmaxMessage
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, DATA_TYPE_INT32
from numbatch.wire.errors import InvalidArgumentError, InvalidModelError
from numbatch.wire.models import array_of, weights_of
from support import numpy_model


def run(model: Model, **inputs: Any) -> dict[str, Any]:
    return numpy_model.run(model.to_message(), {name: np.asarray(x) for name, x in inputs.items()})


def names(message: ModelMessage) -> list[str]:
    return [layer.name for layer in message.layers]


def wires(message: ModelMessage) -> dict[str, list[str]]:
    return {layer.name: list(layer.inputs) for layer in message.layers}


def test_a_sequential_model_is_written_out_in_full() -> None:
    kernel, bias = np.array([[1, 2], [3, 4]], np.float32), np.array([5, 6], np.float32)
    layers = [
        Dense(2, "sigmoid", weights=[kernel, bias]),
        Activation("tanh", name="squash"),
        Dense(2, weights=[kernel], use_bias=False),
        Softmax(),
    ]
    assert Sequential([Input((2,)), *layers], name="tiny").to_message() == ModelMessage(
        name="tiny",
        numeric_contract="f32-1",
        inputs=[InputSpec(name="input", data_type=DATA_TYPE_FLOAT32, shape=[2])],
        layers=[
            LayerMessage(
                name="dense",
                dense=DenseMessage(
                    units=2,
                    kernel=weights_of(kernel),
                    bias=weights_of(bias),
                    activation=ActivationMessage(function=ACTIVATION_FUNCTION_SIGMOID),
                ),
            ),
            LayerMessage(name="squash", activation=ActivationMessage(function=ACTIVATION_FUNCTION_TANH)),
            LayerMessage(name="dense_1", dense=DenseMessage(units=2, kernel=weights_of(kernel))),
            LayerMessage(name="softmax", softmax=SoftmaxMessage()),
        ],
    )


def test_a_message_may_have_another_name_and_what_people_want_to_know() -> None:
    model = Sequential([Input((2,)), Dense(1)], name="net")
    message = model.to_message("other", description="A line.", metadata={"classes": "no,yes"})
    assert (message.name, message.description, dict(message.metadata)) == ("other", "A line.", {"classes": "no,yes"})
    assert model.to_message().name == "net"
    assert Sequential([Input((2,)), Dense(1)]).to_message().name == "sequential"


def test_layers_may_be_added_one_by_one() -> None:
    model = Sequential(seed=1)
    model.add(Input((4, 6)))
    model.add(Dense(5))
    model.add(Flatten())
    model.add(Dense(3))
    message = model.to_message()
    assert [list(layer.dense.kernel.shape) for layer in message.layers] == [[6, 5], [], [20, 3]]
    model.add(Dense(2))
    assert names(model.to_message()) == ["dense", "flatten", "dense_1", "dense_2"]
    assert model.to_message().layers[0] == message.layers[0]


def test_a_sequential_model_without_an_input_is_built_later() -> None:
    model = Sequential([Dense(3, "tanh"), Dense(2)], seed=1)
    assert not model.built
    model.build((None, 4))
    assert model.to_message() == Sequential([Input((4,)), Dense(3, "tanh"), Dense(2)], seed=1).to_message()


def test_symbols_make_a_graph() -> None:
    x = Input((4,), name="x")
    hidden = Dense(4, "relu", name="hidden")(x)
    score = Dense(1, name="score")(hidden + x)
    model = Model(x, score, seed=1)
    message = model.to_message()
    assert wires(message) == {"hidden": ["x"], "add": ["hidden", "x"], "score": ["add"]}
    assert list(message.outputs) == ["score"]
    rows = np.random.default_rng(1).standard_normal((3, 4))
    kernels = [layer.get_weights() for layer in (model.get_layer("hidden"), model.get_layer("score"))]
    expected = (np.maximum(rows @ kernels[0][0] + kernels[0][1], 0) + rows) @ kernels[1][0] + kernels[1][1]
    np.testing.assert_allclose(run(model, x=rows)["score"], expected)


def test_several_inputs_and_outputs_have_names() -> None:
    user, item = Input((8,)), Input((5,), dtype="int32")
    features = Concatenate()([Dense(4, "relu")(user), Embedding(100, 4, pooling="mean")(item)])
    outputs = {"rating": Dense(1)(features), "watched": Dense(1, "sigmoid")(features)}
    message = Model({"user": user, "items": item}, outputs, seed=1).to_message()
    assert [(each.name, each.data_type, list(each.shape)) for each in message.inputs] == [
        ("user", DATA_TYPE_FLOAT32, [8]),
        ("items", DATA_TYPE_INT32, [5]),
    ]
    assert list(message.outputs) == ["rating", "watched"]
    assert names(message) == ["dense", "embedding", "concatenate", "rating", "watched"]


def test_inputs_without_names_are_numbered() -> None:
    a, b = Input((2,)), Input((2,))
    assert [each.name for each in Model([a, b], a + b).to_message().inputs] == ["input", "input_1"]


def test_an_output_that_has_a_name_of_its_own_gets_another_by_a_linear_layer() -> None:
    x = Input((2,))
    message = Model(x, {"score": Dense(1, name="last")(x)}).to_message()
    assert message.layers[0].HasField("dense")
    assert message.layers[1] == LayerMessage(
        name="score", activation=ActivationMessage(function=ACTIVATION_FUNCTION_LINEAR)
    )


def test_outputs_may_be_the_same_or_the_input() -> None:
    x = Input((2,))
    y = Dense(1)(x)
    message = Model(x, [y, y, x]).to_message()
    assert wires(message) == {"dense": ["input"], "linear": ["dense"], "linear_1": ["input"]}
    assert list(message.outputs) == ["dense", "linear", "linear_1"]


class Residual(Model):
    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.hidden = Dense(units, "relu")
        self.back = Dense(units)

    def call(self, inputs: Any) -> Any:
        return inputs + self.back(self.hidden(inputs))


def test_a_class_says_in_call_how_its_layers_are_put_together() -> None:
    model = Residual(4, name="net", seed=1)
    with pytest.raises(InvalidArgumentError, match=r"net: not built yet; build\(\(None, 10\)\) it, or call it"):
        model.to_message()
    model.build((None, 4))
    x = Input((4,))
    hidden = Dense(4, "relu")
    same = Model(x, x + Dense(4)(hidden(x)), name="net", seed=1)
    assert model.to_message() == same.to_message()


def test_a_class_may_be_built_by_a_symbol() -> None:
    model = Residual(4, seed=1)
    assert model(Input((4,))).shape == (None, 4)
    assert model.count_params() == 2 * (4 * 4 + 4)


def test_a_class_may_take_and_give_several() -> None:
    class Gate(Model):
        def __init__(self) -> None:
            super().__init__(seed=1)
            self.gates = [Dense(3, "sigmoid"), Dense(3)]

        def call(self, inputs: Any) -> Any:
            gate = self.gates[0](inputs["a"])
            return {"gate": gate, "gated": gate * self.gates[1](inputs["b"])}

    model = Gate()
    model.build({"a": (None, 2), "b": (None, 5)})
    message = model.to_message()
    assert wires(message) == {"gate": ["a"], "dense": ["b"], "gated": ["gate", "dense"]}
    assert list(message.outputs) == ["gate", "gated"]
    assert model.layers[:2] == model.gates


def test_a_class_may_forget_to_call_its_base() -> None:
    class Short(Model):
        def __init__(self) -> None:
            self.last = Dense(2)

        def call(self, inputs: Any) -> Any:
            return self.last(inputs)

    model = Short()
    model.build((None, 3))
    assert (model.name, model.count_params()) == ("short", 8)


def test_a_shared_layer_is_written_twice_with_the_same_weights() -> None:
    a, b = Input((3,), name="a"), Input((3,), name="b")
    tower = Dense(2, name="tower")
    model = Model([a, b], Multiply()([tower(a), tower(b)]), seed=1)
    message = model.to_message()
    assert wires(message) == {"tower": ["a"], "tower_1": ["b"], "multiply": ["tower", "tower_1"]}
    assert message.layers[0].dense == message.layers[1].dense
    assert model.layers[0] is tower
    assert model.count_params() == 8
    tower.set_weights([np.ones((3, 2)), np.zeros(2)])
    np.testing.assert_array_equal(run(model, a=[[1.0, 1, 1]], b=[[2.0, 2, 2]])["multiply"], [[18, 18]])


def test_a_model_is_a_layer_of_another() -> None:
    user, item = Input((4,), name="user"), Input((6,), name="item")
    towers = [
        Sequential([Dense(8, "relu"), Dense(3)], name="users"),
        Sequential([Input((6,)), Dense(3)], name="items"),
    ]
    model = Model([user, item], towers[0](user) * towers[1](item), seed=1)
    assert wires(model.to_message()) == {
        "users/dense": ["user"],
        "users/dense_1": ["users/dense"],
        "items/dense": ["item"],
        "multiply": ["users/dense_1", "items/dense"],
    }
    assert len(model.get_weights()) == 6
    assert model.get_layer("users") is towers[0]
    again = Model([user, item], towers[0](user) * towers[1](item), seed=2)
    assert again.to_message().layers[0] == model.to_message().layers[0]


def test_the_seed_of_a_model_reaches_into_the_models_in_it() -> None:
    def weights(seed: int) -> list[Any]:
        x = Input((4,))
        return Model(x, Sequential([Dense(3), Dense(2)])(x), seed=seed).get_weights()

    for first, again in zip(weights(5), weights(5), strict=True):
        np.testing.assert_array_equal(first, again)
    assert not np.array_equal(weights(5)[0], weights(6)[0])


def test_layers_of_one_model_may_go_into_another() -> None:
    x = Input((4,))
    trunk = Dense(3, "relu", name="trunk")(x)
    whole = Model(x, Dense(2)(trunk), seed=1)
    features = Model(x, trunk)
    assert features.to_message("net").layers[0] == whole.to_message("net").layers[0]


def test_a_model_may_end_at_a_layer_of_another() -> None:
    x = Input((4,))
    whole = Model(x, Dense(2)(Dense(3, "relu", name="trunk")(x)), seed=1)
    other = Model(whole.inputs, Dense(5, name="end")(whole.get_layer("trunk").output))
    assert names(other.to_message()) == ["trunk", "end"]
    assert other.get_layer("trunk") is whole.get_layer("trunk")


def test_weights_that_do_not_all_fit_change_nothing() -> None:
    model = Sequential([Input((3,)), Dense(2), Dense(1)], seed=1)
    before = model.to_message()
    with pytest.raises(InvalidModelError, match=r"^dense_1.bias: shape: got \[2\], expected \[1\]"):
        model.set_weights([np.ones((3, 2)), np.ones(2), np.ones((2, 1)), np.ones(2)])
    assert model.to_message() == before


def test_a_seed_gives_the_same_kernels_and_another_seed_others() -> None:
    first, again, other = (Sequential([Input((4,)), Dense(3), Dense(2)], seed=seed).to_message() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    # What is promised: one generator, drawn from in the order of the layers, Glorot uniform.
    expected = np.random.default_rng(1).uniform(-np.sqrt(6 / 7), np.sqrt(6 / 7), (4, 3)).astype(np.float32)
    np.testing.assert_array_equal(array_of(first.layers[0].dense.kernel), expected, strict=True)


def test_without_a_seed_weights_differ_and_stay() -> None:
    one, other = (Sequential([Input((4,)), Dense(3)]) for _ in range(2))
    assert one.to_message() == one.to_message()
    assert one.to_message() != other.to_message()


def test_weights_of_a_model_are_those_of_its_layers_in_order() -> None:
    model = Sequential([Input((3,)), Dense(2), BatchNormalization(), Dense(1, use_bias=False)], seed=1)
    weights = model.get_weights()
    assert [each.shape for each in weights] == [(3, 2), (2,), (2,), (2,), (2,), (2,), (2, 1)]
    assert model.count_params() == 6 + 2 + 8 + 2
    other = Sequential([Input((3,)), Dense(2), BatchNormalization(), Dense(1, use_bias=False)], seed=2)
    other.set_weights(weights)
    assert other.to_message() == model.to_message()


def test_layers_are_found_by_name() -> None:
    model = Sequential([Input((3,)), Dense(2, name="hidden"), Dense(1)])
    assert model.get_layer("hidden") is model.layers[0]
    assert model.get_layer("dense") is model.layers[1]


def test_a_summary_of_a_graph_says_what_each_layer_takes() -> None:
    x = Input((8,), name="x")
    y = Dense(8, "relu", name="hidden")(x)
    lines: list[str] = []
    Model(x, Dense(1024, name="out")(x + y), name="residual").summary(lines.append)
    assert "\n".join(lines).splitlines() == [
        'Model: "residual"',
        "Layer (type)    Output shape  Parameters  Takes",
        "───────────────────────────────────────────────────",
        "x (Input)       (None, 8)",
        "hidden (Dense)  (None, 8)             72  x",
        "add (Add)       (None, 8)              0  x, hidden",
        "out (Dense)     (None, 1024)       9,216  add",
        "───────────────────────────────────────────────────",
        "Total parameters: 9,288 (37,152 bytes)",
    ]
