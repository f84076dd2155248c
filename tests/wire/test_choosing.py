"""Elements of the last axis by their places."""

import pytest

from numbatch.wire.graph import GraphWriter
from support.onnx_models import drawn, layers_of, run


@pytest.mark.parametrize(
    ("places", "kinds"),
    [
        ([2, 3, 4], ["slice"]),
        ([7], ["slice"]),
        ([5, 0, 1], ["slice", "slice", "concatenate"]),
        (list(range(19, 0, -1)), ["dense"]),
        ([3, 3], ["slice", "slice", "concatenate"]),
    ],
)
def test_they_are_slices_while_they_are_few(places: list[int], kinds: list[str]) -> None:
    graph = GraphWriter("chosen")
    model = graph.model([graph.choose(graph.input("x", [20]), places, name="y")])
    assert [kind for _, kind in layers_of(model)] == kinds
    x = drawn(1, 5, 20)
    assert run(model, {"x": x})["y"].tolist() == x[:, places].tolist()
