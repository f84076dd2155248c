"""Models with several inputs and with row numbers, on a real server."""

from collections.abc import Iterator

import numpy as np
import pytest

from numbatch.client import InvalidArgumentError, Reason
from numbatch.engine import load_model
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, DATA_TYPE_INT32
from support.both_clients import Bench
from support.graphs import GRAPHS, examples
from support.server import RunningServer, running_server

NAME = "wide_and_deep"
MODEL = GRAPHS[NAME]()
LAYERS = [layer.name for layer in MODEL.layers]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([MODEL]) as running:
        yield running


@pytest.mark.parametrize("rows", [1, 8, 300])
def test_every_layer_has_the_bits_of_the_engine(bench: Bench, server: RunningServer, rows: int) -> None:
    batch = examples(MODEL, rows)
    got = bench.client(server.address).call("infer", NAME, batch, layers=LAYERS)
    for name, array in load_model(MODEL).infer(batch, layers=LAYERS).items():
        np.testing.assert_array_equal(got[name], array)


def test_a_stream_carries_them(bench: Bench, server: RunningServer) -> None:
    batches = [examples(MODEL, rows) for rows in (1, 2, 3)]
    results = bench.client(server.address).stream(NAME, batches, layers=["gated"])
    assert [result["gated"].shape for result in results] == [(1, 64), (2, 64), (3, 64)]


def test_the_metadata_say_of_which_type_an_input_is(bench: Bench, server: RunningServer) -> None:
    inputs = bench.client(server.address).call("get_metadata", NAME).inputs
    types = {spec.name: spec.data_type for spec in inputs}
    assert types == {
        "wide": DATA_TYPE_FLOAT32,
        "numbers": DATA_TYPE_FLOAT32,
        **dict.fromkeys(["words", "tags"], DATA_TYPE_INT32),
    }


def test_a_row_number_beyond_the_table_is_refused_with_its_place(bench: Bench, server: RunningServer) -> None:
    batch = examples(MODEL, 4)
    batch["words"][2, 5] = 50
    with pytest.raises(InvalidArgumentError, match=r"data\[2, 5\]: row number of input 'words': got 50") as refused:
        bench.client(server.address).call("infer", NAME, batch, layers=["scores"])
    assert refused.value.reason is Reason.INDEX_OUT_OF_RANGE


def test_numbers_instead_of_row_numbers_are_refused(bench: Bench, server: RunningServer) -> None:
    batch = examples(MODEL, 4)
    batch["words"] = batch["words"] + 0.5
    with pytest.raises(InvalidArgumentError, match="expected int32 or int64") as refused:
        bench.client(server.address).call("infer", NAME, batch, layers=["scores"])
    assert refused.value.reason is Reason.DATA_TYPE_MISMATCH
