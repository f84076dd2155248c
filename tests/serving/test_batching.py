"""Requests run together, and nobody can tell: through the whole service."""

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import Any

import numpy as np
import pytest

from numbatch.batching import BatchReport
from numbatch.client import Client, OverloadedError
from numbatch.engine import LoadedModel, load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.serving.observer import Observer
from numbatch.v1.inference_pb2 import InferRequest
from numbatch.wire.reasons import Reason
from support.raw_calls import INFER, raw_calls, refusal
from support.server import RunningServer, running_server
from support.tiny import tiny_model

LAYERS = [Dense(33, "tanh", name="hidden"), Dense(7, "sigmoid", name="out")]
WIDE = Sequential([Input((40,)), *LAYERS], seed=3).to_message("wide")
ALONE = load_model(WIDE)
MAX_BATCH = 32


class Reports(Observer):
    """Keeps what is told of batches."""

    def __init__(self) -> None:
        self.batches: list[BatchReport] = []

    def on_batch(self, report: BatchReport) -> None:
        self.batches.append(report)


@pytest.fixture(scope="module")
def reports() -> Reports:
    return Reports()


@pytest.fixture(scope="module")
def server(reports: Reports) -> Iterator[RunningServer]:
    with running_server(
        [WIDE, tiny_model()], observer=reports, max_batch_size=MAX_BATCH, max_queue_delay_us=5_000
    ) as running:
        yield running


def test_rows_keep_their_bits_whatever_they_are_batched_with(server: RunningServer, reports: Reports) -> None:
    rng = np.random.default_rng(7)
    minibatches = [rng.standard_normal((rows, 40), np.float32) for rows in [1, 2, 3, 5, 31, 32, 33, 100] * 12]
    layers = [["out"], ["hidden"], ["out", "hidden"]]

    def ask(number: int) -> None:
        x, wanted = minibatches[number], layers[number % 3]
        answer = client.infer("wide", x, layers=wanted, timeout=50)
        alone = ALONE.infer(x, layers=wanted)
        assert {name: output.tobytes() for name, output in answer.items()} == {
            name: output.tobytes() for name, output in alone.items()
        }

    reports.batches.clear()
    with Client(server.address) as client, ThreadPoolExecutor(16) as threads:
        list(threads.map(ask, range(len(minibatches))))
    assert max(len(batch.queue_s) for batch in reports.batches) > 1  # some ran together
    assert max(batch.rows for batch in reports.batches) == MAX_BATCH
    assert sum(batch.rows for batch in reports.batches) == sum(map(len, minibatches))


def test_a_request_of_many_batches_comes_back_whole_and_in_order(server: RunningServer) -> None:
    x = np.arange(2 * (5 * MAX_BATCH + 3), dtype=np.float32).reshape(-1, 1, 2)
    with Client(server.address) as client:
        answer = client.infer("tiny", x, layers=["scaled"])["scaled"]
    assert answer.shape == x.shape
    assert (answer == 2 * x).all()


def test_nan_in_one_row_stays_in_that_row(server: RunningServer) -> None:
    rows = np.ones((8, 40), np.float32)
    rows[3], rows[5, 0], rows[6, 1] = np.nan, np.inf, 1e-42
    with Client(server.address) as client, ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda row: client.infer("wide", row, layers=["hidden"])["hidden"], rows))
    for row, answer in zip(rows, together, strict=True):
        assert answer.tobytes() == ALONE.infer(row, layers=["hidden"])["hidden"].tobytes()
    assert np.isnan(together[3]).all()


def test_a_full_queue_refuses_at_once_and_names_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    compute = LoadedModel.compute

    def wait(*arguments: Any, **options: Any) -> None:
        assert go_on.wait(20)
        compute(*arguments, **options)

    with (
        running_server([tiny_model()], max_in_flight=2) as server,
        Client(server.address) as client,
        ThreadPoolExecutor(3) as threads,
    ):
        monkeypatch.setattr(LoadedModel, "compute", wait)
        calls = [threads.submit(client.infer, "tiny", [1, 1]) for _ in range(3)]
        done, running = wait_for(calls, 20, FIRST_EXCEPTION)
        (refused,) = (call.exception() for call in done)
        assert isinstance(refused, OverloadedError)
        assert (refused.reason, refused.field, refused.model) == (Reason.SERVER_OVERLOADED, "max_in_flight", "tiny")
        assert refused.retry_delay_s is not None
        assert client.is_ready()
        go_on.set()
        assert [call.result(20).tolist() for call in running] == [[2, 2]] * 2
        assert client.infer("tiny", [1, 1]).tolist() == [2, 2]


def test_a_priority_that_is_none_is_refused(server: RunningServer) -> None:
    request = InferRequest(model_name="tiny", priority=7)  # type: ignore[arg-type]
    with raw_calls(server.address) as calls:
        refused = refusal(lambda: calls.unary(INFER, request.SerializeToString()))
    assert (refused.reason, refused.field, refused.got) == (Reason.INVALID_FIELD, "priority", "7")
