"""A model goes to a .keras file, without Keras, and comes back from it with every weight."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch.convert.keras import from_keras, to_keras
from numbatch.engine import load_model
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import UnsupportedError
from numbatch.wire.graph import GraphWriter
from support.agreement import ulps
from support.graphs import GRAPHS, examples
from support.networks import ACTIVATIONS, drawn, network


@pytest.mark.parametrize("make", GRAPHS.values(), ids=GRAPHS)
def test_a_graph_comes_back_and_computes_the_same(make: Callable[[], Model], tmp_path: Path) -> None:
    model = make()
    to_keras(model, tmp_path / "m.keras")
    back = from_keras(tmp_path / "m.keras").model
    assert {layer.name for layer in back.layers} >= set(back.outputs) == set(model.outputs)
    batch = examples(model, 20)
    there, here = (load_model(each).infer(batch, layers=list(model.outputs)) for each in (model, back))
    for name in model.outputs:
        np.testing.assert_array_equal(there[name], here[name])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_comes_back(activation: str, tmp_path: Path) -> None:
    model = network([6, 5, 4], [activation, activation])
    to_keras(model, tmp_path / "m.keras")
    back = from_keras(tmp_path / "m.keras").model
    x = drawn("x", 9, 6)
    assert ulps(load_model(back).infer(x), load_model(model).infer(x)) == 0


def test_names_that_keras_cannot_have_are_told(tmp_path: Path) -> None:
    graph = GraphWriter("names")
    x = graph.input("x", [3])
    y = graph.activation(x, "relu", name="tower/relu")
    z = graph.activation(y, "tanh", name="tower:2/relu")
    model = graph.model([graph.add([x, z, graph.activation(x, "tanh", name="tower_relu")], name="sum")])
    told = to_keras(model, tmp_path / "m.keras")
    assert told == {"tower/relu": "tower_relu_1", "tower:2/relu": "tower_2_relu"}
    assert [layer.name for layer in from_keras(tmp_path / "m.keras").model.layers] == [
        "tower_relu_1",
        "tower_2_relu",
        "tower_relu",
        "sum",
    ]


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        to_keras(GRAPHS["residual"](), tmp_path / f"{name}.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


@pytest.mark.parametrize("pooling", ["sum", "mean"])
@pytest.mark.parametrize("padding_id", [None, 0, 2])
def test_pooled_rows_come_back_where_keras_can_leave_rows_out(
    pooling: str, padding_id: int | None, tmp_path: Path
) -> None:
    graph = GraphWriter("bag")
    ids = graph.input("ids", [4], integer=True)
    pooled = graph.embedding(ids, drawn("table", 5, 3), pooling=pooling, padding_id=padding_id, name="bag")
    model = graph.model([pooled])
    if (pooling, padding_id) == ("mean", 2):
        with pytest.raises(
            UnsupportedError, match=r"embedding\.padding_id: a mean that leaves rows out: got 2, expected 0"
        ):
            to_keras(model, tmp_path / "m.keras")
        return
    to_keras(model, tmp_path / "m.keras")
    x: Any = np.array([[0, 1, 2, 2], [4, 0, 0, 3]], np.int32)
    back = load_model(from_keras(tmp_path / "m.keras").model)
    np.testing.assert_array_equal(back.infer(x), load_model(model).infer(x))
