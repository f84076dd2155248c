"""Models on a real server, seen from a client."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from numbatch.client import InvalidArgumentError, InvalidModelError, NotFoundError, Reason, UnavailableError
from numbatch.engine import load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.repository_pb2 import MODEL_STATE_READY
from support.both_clients import Bench
from support.server import RunningServer, running_server

TINY = Sequential([Input((10,)), Dense(3, "sigmoid"), Dense(5, "sigmoid")], seed=1).to_message("tiny")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([TINY]) as running:
        yield running


def test_the_served_model_gives_the_bits_of_the_engine(bench: Bench, server: RunningServer) -> None:
    x = np.random.default_rng(0).standard_normal((4, 10)).astype(np.float32)
    got = bench.client(server.address).call("infer", "tiny", x, layers=["dense", "dense_1"])
    expected = load_model(TINY).infer(x, layers=["dense", "dense_1"])
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)


def test_models_are_listed_and_described(bench: Bench, server: RunningServer) -> None:
    client = bench.client(server.address)
    (tiny,) = (status for status in client.call("list_models") if status.model_name == "tiny")
    assert (tiny.model_version, tiny.state, tiny.default_version) == (1, MODEL_STATE_READY, True)
    metadata = client.call("get_metadata", "tiny")
    assert [(layer.name, list(layer.output_shape), layer.parameter_count) for layer in metadata.layers] == [
        ("dense", [3], 33),
        ("dense_1", [5], 20),
    ]


def test_a_model_comes_back_with_its_weights(bench: Bench, server: RunningServer) -> None:
    assert bench.client(server.address).call("get_model", "tiny") == TINY


def test_a_model_built_in_python_is_loaded_replaced_and_unloaded(bench: Bench, server: RunningServer) -> None:
    client = bench.client(server.address)
    name = f"built-{type(client).__name__}"
    first, second = (Sequential([Input((2,)), Dense(units)], seed=0).to_message(name) for units in (3, 4))
    assert client.call("load_model", first).model_version == 1
    assert client.call("infer", name, [1, 2]).shape == (3,)
    assert client.call("load_model", second).model_version == 2
    assert client.call("infer", name, [1, 2]).shape == (4,)
    assert client.call("infer", name, [1, 2], version=1).shape == (3,)
    assert {status.model_version for status in client.call("unload_model", name)} == {1, 2}
    with pytest.raises(UnavailableError, match="built"):
        client.call("infer", name, [1, 2])


def test_a_wrong_model_is_refused_with_its_field(bench: Bench, server: RunningServer) -> None:
    wrong = Sequential([Input((2,)), Dense(3)], seed=0).to_message("wrong")
    wrong.layers[0].dense.units = 4
    with pytest.raises(InvalidModelError, match=r"model.layers\[0\].dense.kernel.shape: got \[2, 3\]") as refused:
        bench.client(server.address).call("load_model", wrong)
    assert (refused.value.reason, refused.value.model) == (Reason.WEIGHTS_MISMATCH, "wrong")


def test_an_unknown_model_is_told_with_those_that_there_are(bench: Bench, server: RunningServer) -> None:
    with pytest.raises(NotFoundError, match="tiny"):
        bench.client(server.address).call("infer", "tinny", [[0] * 10])


def test_a_model_built_by_hand_is_loaded_as_it_is(bench: Bench, server: RunningServer) -> None:
    client = bench.client(server.address)
    client.call("load_model", Sequential([Input((2,)), Dense(3)], name="built", seed=1))
    assert client.call("infer", "built", [1.0, 2.0]).shape == (3,)
    client.call("unload_model", "built")


def test_what_is_no_model_is_not_loaded(bench: Bench, server: RunningServer) -> None:
    with pytest.raises(InvalidArgumentError, match="model: got PosixPath, expected a Model message, or a model of"):
        bench.client(server.address).call("load_model", Path("models/digits"))
