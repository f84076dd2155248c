"""What is repeated by itself, and what is not: a try that cannot help, or that would make an overload worse."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.client import AsyncClient, NumbatchError, OverloadedError, Reason, UnavailableError
from numbatch.v1.repository_pb2 import ListModelsResponse, LoadModelResponse, UnloadModelResponse
from numbatch.wire.errors import error
from support.both_clients import Bench
from support.fake_server import (
    CHECK_HEALTH,
    GET_MODEL,
    INFER,
    LIST_MODELS,
    LOAD_MODEL,
    UNLOAD_MODEL,
    FakeServer,
    Unary,
    check_health,
    fail,
    get_model,
    infer,
    refuse,
)

AWAY = fail(grpc.StatusCode.UNAVAILABLE)


def after(failures: int, failing: Unary, method: Unary) -> Unary:
    """Make a method that fails so many times, then answers."""
    calls = list[int]()

    def flaky(request: bytes, context: Any) -> bytes:
        calls.append(1)
        return (failing if len(calls) <= failures else method)(request, context)

    return flaky


def empty(message: Callable[[], Any]) -> Unary:
    return lambda *_: bytes(message().SerializeToString())


READS = [
    (INFER, infer, "infer", ("double", [1, 2])),
    (GET_MODEL, get_model, "get_metadata", ("double",)),
    (LIST_MODELS, empty(ListModelsResponse), "list_models", ()),
]
CHANGES = [
    (LOAD_MODEL, empty(LoadModelResponse), "load_model", ("double",)),
    (UNLOAD_MODEL, empty(UnloadModelResponse), "unload_model", ("double",)),
]


@pytest.mark.parametrize(("path", "method", "name", "arguments"), READS)
def test_what_changes_nothing_is_tried_three_times(
    bench: Bench, path: str, method: Unary, name: str, arguments: tuple[Any, ...]
) -> None:
    server = bench.server({path: after(2, AWAY, method)})
    bench.client(server).call(name, *arguments)
    assert server.calls == [path] * 3


def test_a_fourth_try_is_not_made(bench: Bench) -> None:
    server = bench.server({INFER: after(3, AWAY, infer)})
    with pytest.raises(UnavailableError):
        bench.client(server).call("infer", "double", [1, 2])
    assert server.calls == [INFER] * 3


def test_what_the_end_of_a_server_cut_off_is_repeated(bench: Bench) -> None:
    # So gRPC's servers end the calls that a grace period was too short for.
    server = bench.server({INFER: after(1, fail(grpc.StatusCode.CANCELLED), infer)})
    assert bench.client(server).call("infer", "double", [1, 2]).tolist() == [2, 4]


@pytest.mark.parametrize(("path", "method", "name", "arguments"), CHANGES)
def test_what_changes_models_is_tried_once(
    bench: Bench, path: str, method: Unary, name: str, arguments: tuple[Any, ...]
) -> None:
    server = bench.server({path: after(1, AWAY, method)})
    client = bench.client(server)
    with pytest.raises(UnavailableError):
        client.call(name, *arguments)
    client.call(name, *arguments)
    assert server.calls == [path] * 2


def test_a_question_about_health_is_answered_at_once(bench: Bench) -> None:
    server = bench.server({CHECK_HEALTH: after(1, AWAY, check_health)})
    assert bench.client(server).call("is_ready") is False
    assert server.calls == [CHECK_HEALTH]


@pytest.mark.parametrize("megabytes", [0.1, 1, 20])  # gRPC's own limit for repeating is 256 KiB
def test_messages_of_any_size_are_repeated(bench: Bench, megabytes: float) -> None:
    server = bench.server({INFER: after(2, AWAY, infer)})
    x = np.ones((int(megabytes * 2**20) // 8, 2), np.float32)
    assert bench.client(server).call("infer", "double", x).shape == x.shape
    assert len({len(request) for request in server.requests}) == 1
    assert len(server.requests) == 3


def test_a_try_that_the_server_calls_pointless_is_not_made(bench: Bench) -> None:
    not_ready = refuse(error(Reason.MODEL_NOT_READY, "it is loading"), pushback_ms=-1)
    server = bench.server({INFER: not_ready})
    with pytest.raises(UnavailableError, match="it is loading"):
        bench.client(server).call("infer", "double", [1, 2])
    assert server.calls == [INFER]


def test_a_delay_that_the_server_asks_for_is_kept(bench: Bench) -> None:
    # A minute is longer than the call may take, so its try is never made: the delay is the server's, not 0.1 s.
    draining = refuse(error(Reason.SERVER_DRAINING, "as planned"), pushback_ms=60_000)
    server = bench.server({INFER: draining})
    with pytest.raises(NumbatchError):
        bench.client(server).call("infer", "double", [1, 2], timeout=1)
    assert server.calls == [INFER]


def test_an_overload_is_told_with_its_delay_and_never_made_worse(bench: Bench) -> None:
    full = error(Reason.SERVER_OVERLOADED, "as planned", field="max_queue_size", retry_delay_s=0.25)
    server = bench.server({INFER: refuse(full, pushback_ms=250)})
    with pytest.raises(OverloadedError) as refused:
        bench.client(server).call("infer", "double", [1, 2])
    assert (refused.value.retry_delay_s, refused.value.field) == (0.25, "max_queue_size")
    assert server.calls == [INFER]


def test_the_budget_ends_the_repeating_where_the_server_stays_away() -> None:
    async def main(address: str) -> None:
        async with AsyncClient(address) as client:
            calls = [client.infer("double", [1, 2]) for _ in range(1000)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(answer) for answer in answers} == {UnavailableError}

    with FakeServer({INFER: AWAY}) as server:
        asyncio.run(main(server.address))
    # Three times as many without it.
    assert 1000 < len(server.calls) <= 1500
