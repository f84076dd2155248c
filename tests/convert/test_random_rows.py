"""Random rows: of the types and in the ranges that a model's inputs take, and always the same."""

import numpy as np
import pytest

from numbatch.convert.random_rows import RandomInput, RandomRows, random_inputs
from numbatch.wire.graph import GraphWriter

INPUTS = {
    "x": RandomInput((3,)),
    "ids": RandomInput((4,), vocabulary=50),
    "words": RandomInput((5,), vocabulary=9, padding_id=3),
}


def rows(batch_size: int, *, seed: int = 1, number: int = 200) -> dict[str, np.ndarray]:
    batches = list(RandomRows(INPUTS, number, seed).minibatches(batch_size))
    return {name: np.concatenate([batch[name] for batch in batches]) for name in INPUTS}


@pytest.mark.parametrize("batch_size", [1, 7, 200, 1000])
def test_minibatches_of_any_size_hold_the_same_rows(batch_size: int) -> None:
    for name, array in rows(64).items():
        np.testing.assert_array_equal(rows(batch_size)[name], array, strict=True)


def test_another_seed_gives_other_rows() -> None:
    assert all((rows(64)[name] != rows(64, seed=2)[name]).any() for name in INPUTS)


def test_row_numbers_are_in_their_range_and_reach_both_ends() -> None:
    ids = rows(64)["ids"]
    assert ids.dtype == np.int32
    assert (ids.shape, ids.min(), ids.max()) == ((200, 4), 0, 49)
    assert (ids[0] == 0).all()
    assert (ids[1] == 49).all()
    assert len(np.unique(ids)) == 50


def test_padding_comes_often() -> None:
    words = rows(64)["words"]
    assert 0.25 < np.mean(words == 3) < 0.4
    assert sorted(set(words.ravel())) == list(range(9))


@pytest.mark.parametrize("padding_id", [0, 4])
def test_no_row_is_padding_alone(padding_id: int) -> None:
    drawn = RandomRows({"ids": RandomInput((2, 2), vocabulary=5, padding_id=padding_id)}, 500, 0)
    for batch in drawn.minibatches(64):
        assert not (batch["ids"] == padding_id).all(-1).any()


def test_a_table_of_one_row_has_one_number() -> None:
    (batch,) = RandomRows({"id": RandomInput((1,), vocabulary=1)}, 3, 0).minibatches(8)
    assert batch["id"].tolist() == [[0], [0], [0]]


def test_they_are_drawn_as_the_network_takes_them() -> None:
    graph = GraphWriter("towers")
    x, raw = graph.input("x", [2]), graph.input("raw", [2])
    user, words = graph.input("user", [1], integer=True), graph.input("words", [6], integer=True)
    scaled = graph.normalization(raw, [100.0, -5.0], [4.0, 0.25])
    small, large = graph.embedding(user, np.ones((7, 2)), pooling="sum"), graph.embedding(user, np.ones((9, 2)))
    text = graph.embedding(words, np.ones((5, 2)), pooling="mean", padding_id=0)
    model = graph.model([graph.concatenate([x, scaled, small, graph.flatten(large), text])])
    drawn = random_inputs(model)
    assert drawn["x"] == RandomInput((2,))
    assert drawn["user"] == RandomInput((1,), vocabulary=7)
    assert drawn["words"] == RandomInput((6,), vocabulary=5, padding_id=0)
    (batch,) = RandomRows(drawn, 1000, 0).minibatches(1000)
    np.testing.assert_allclose(batch["raw"].mean(0), [100, -5], rtol=0.01)
    np.testing.assert_allclose(batch["raw"].std(0), [2, 0.5], rtol=0.1)
