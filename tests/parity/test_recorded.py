"""A server computes what TensorFlow has computed: recorded outputs, so that TensorFlow is not needed."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from numbatch.client import Client
from numbatch.engine import load_model
from numbatch.wire.models import array_of
from parity.lessons import ALONE, LESSONS, recorded
from parity.models import MOST_ULPS, distance, model_name, model_of
from support.server import running_server


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    models = [model_of(lesson, recorded(lesson)) for lesson in LESSONS]
    with running_server(models) as server, Client(server.address) as client:
        yield client


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("lesson", LESSONS)
def test_every_layer_is_what_tensorflow_computes(client: Client, lesson: str) -> None:
    taught = recorded(lesson)
    layers = [name for name, _ in LESSONS[lesson]]
    served = client.infer(model_name(lesson), taught["x"], layers=layers)
    assert {name: array.shape for name, array in served.items()} == {name: taught[name].shape for name in layers}
    for name, array in served.items():
        assert distance(lesson, name, array, taught) <= MOST_ULPS, name


@pytest.mark.parametrize("lesson", [lesson for lesson in LESSONS if lesson not in ALONE])
def test_weights_from_the_server_give_its_output_by_hand(client: Client, lesson: str) -> None:
    taught = recorded(lesson)
    functions: dict[str, Callable[[Any], Any]] = {
        "linear": lambda z: z,
        "sigmoid": sigmoid,
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
    }
    by_hand = {**taught}
    z = x = taught["x"]
    for layer, (name, function) in zip(client.get_model(model_name(lesson)).layers, LESSONS[lesson], strict=True):
        assert layer.name == name
        bias = array_of(layer.dense.bias) if layer.dense.HasField("bias") else np.float32(0)
        z = by_hand[name] = functions[function](z @ array_of(layer.dense.kernel) + bias)
    assert distance(lesson, name, client.infer(model_name(lesson), x), by_hand) <= MOST_ULPS


def test_an_example_of_two_axes_is_computed_row_by_row(client: Client) -> None:
    taught = recorded("rank 3")
    whole = load_model(model_of("rank 3", taught, axes=(4,))).infer(taught["x"])
    assert whole.shape == (2, 4, 3)
    np.testing.assert_array_equal(whole, client.infer("rank-3", taught["x"]))


def test_a_neuron_alone_gives_the_bits_that_it_gives_in_a_minibatch(client: Client) -> None:
    lesson = "a minibatch through 3 and 5 sigmoids"
    x = recorded(lesson)["x"]
    together = client.infer(model_name(lesson), x)
    for i, row in enumerate(x):
        np.testing.assert_array_equal(client.infer(model_name(lesson), row), together[i])
