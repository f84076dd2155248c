"""Versions are changed under load: no request fails, and none sees two of them."""

import gc
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import pytest

from numbatch.wire.models import array_of
from numbatch.wire.reasons import Reason
from support.raw_calls import INFER, RawCalls, error_of, infer_request, raw_calls, read_answer, refusal
from support.server import RunningServer, running_server, write_model
from support.tiny import tiny_model

CALLERS = 4
SWAPS = 40
ROWS = 50

_ONES = infer_request("tiny", np.ones((ROWS, 2), np.float32), layers=["scaled", "positive"])


def factor_of_version(version: int) -> float:
    """2 for even versions, 3 for odd ones: what their outputs are made of."""
    return 2.0 + version % 2


@contextmanager
def under_load(server: RunningServer) -> Iterator[Callable[[], int]]:
    """Ask from several threads until the block ends; give what returns how many answers have come."""
    ended = threading.Event()
    answers = [0] * CALLERS

    def ask(caller: int) -> None:
        with raw_calls(server.address) as calls:
            while not ended.is_set():
                response, outputs = read_answer(calls.unary(INFER, _ONES))
                values = {float(value) for _, array in outputs for value in np.unique(array)}
                assert values == {factor_of_version(response.model_version)}
                answers[caller] += 1

    with ThreadPoolExecutor(CALLERS) as threads:
        asking: list[Future[None]] = [threads.submit(ask, caller) for caller in range(CALLERS)]
        try:
            yield lambda: sum(answers)
        finally:
            ended.set()
        for one in asking:
            one.result(20)
    assert all(answers)


def write(server: RunningServer, version: int) -> Path:
    return write_model(server.repository, tiny_model(factor=factor_of_version(version)), version)


def versions(calls: RawCalls) -> list[int]:
    return [status.model_version for status in calls.list_models().models if status.model_name == "tiny"]


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with running_server() as running, raw_calls(running.address) as calls:
        write(running, 1)
        calls.load_model(model_name="tiny")
        yield running


def test_new_versions_take_the_place_of_old_ones(server: RunningServer) -> None:
    with raw_calls(server.address) as calls, under_load(server) as answered:
        for version in range(2, SWAPS):
            write(server, version)
            assert calls.load_model(model_name="tiny").status.model_version == version
            assert versions(calls) == [version]
            shutil.rmtree(server.repository / f"tiny/{version - 1}")
        assert answered()
    # Nothing keeps what was replaced: not the queue, not what is remembered of requests.
    with raw_calls(server.address) as calls:
        calls.infer("tiny", np.ones((100_000, 2)))  # on the compute thread,
        calls.infer("tiny", [1, 1])  # and on the loop
    gc.collect()
    held = sum(entry.held_bytes for entry in server.server.registry.snapshot)
    assert server.server.registry.memory.held_bytes == held


def test_a_version_is_loaded_again_from_other_files(server: RunningServer) -> None:
    ended = threading.Event()
    seen: set[float] = set()

    def ask() -> None:
        with raw_calls(server.address) as calls:
            while not ended.is_set():
                (_, outputs) = read_answer(calls.unary(INFER, _ONES))
                values = {float(value) for _, array in outputs for value in np.unique(array)}
                assert len(values) == 1
                seen.update(values)

    with ThreadPoolExecutor(CALLERS) as threads, raw_calls(server.address) as calls:
        asking = [threads.submit(ask) for _ in range(CALLERS)]
        try:
            for turn in range(SWAPS):
                model = tiny_model(factor=2.0 + turn % 2)
                (server.repository / "tiny/1/model.binpb").write_bytes(model.SerializeToString())
                calls.load_model(model_name="tiny")
        finally:
            ended.set()
        for one in asking:
            one.result(20)
    assert seen <= {2.0, 3.0}


def test_a_folder_that_is_renamed_or_deleted_is_no_matter_to_what_is_loaded(server: RunningServer) -> None:
    with raw_calls(server.address) as calls, under_load(server) as answered:
        (server.repository / "tiny").rename(server.repository / "other")
        before = answered()
        while answered() < before + 20:
            calls.health("tiny")
        shutil.rmtree(server.repository / "other")
        assert refusal(lambda: calls.load_model(model_name="tiny")).reason is Reason.MODEL_NOT_FOUND
        assert versions(calls) == [1]


def test_a_new_version_that_fails_leaves_the_old_one_answering(server: RunningServer) -> None:
    with raw_calls(server.address) as calls, under_load(server):
        for version in range(2, 10):
            folder = write(server, version)
            (folder / "model.binpb").write_bytes(b"\x0a\x50")
            assert refusal(lambda: calls.load_model(model_name="tiny")).reason is Reason.MODEL_CORRUPT
            assert calls.infer("tiny", [1, 1])[0][1].tolist() == [3, 3]
            shutil.rmtree(folder)


def test_many_callers_who_load_and_unload_leave_a_server_that_works(server: RunningServer) -> None:
    def change(number: int) -> None:
        with raw_calls(server.address) as calls:
            for turn in range(8):
                try:
                    if (number + turn) % 2:
                        calls.load_model(model_name="tiny")
                    else:
                        calls.unload_model("tiny")
                except grpc.RpcError as failure:
                    assert error_of(failure).reason is Reason.MODEL_NOT_READY

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(change, range(16)))
    with raw_calls(server.address) as calls:
        assert calls.health() == "SERVING"
        calls.load_model(model_name="tiny")
        assert calls.infer("tiny", [1, 1])[0][1].tolist() == [3, 3]
        kernel = calls.get_model("tiny", include_weights=True).model.layers[0].dense.kernel
        assert array_of(kernel).tolist() == [[3, 0], [0, 3]]
