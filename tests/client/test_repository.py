"""Models and health as the client asks for them, where a real server gives no chance to look."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from numbatch.client import InvalidArgumentError, MessageTooLargeError, Reason
from numbatch.models import Dense, Input, Sequential
from numbatch.v1.repository_pb2 import (
    WEIGHTS_PRECISION_BF16,
    WEIGHTS_PRECISION_F32,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    LoadModelRequest,
    LoadModelResponse,
    ModelStatus,
    UnloadModelResponse,
)
from support.both_clients import Bench
from support.fake_server import (
    CHECK_HEALTH,
    GET_MODEL,
    INFER,
    LIST_MODELS,
    LOAD_MODEL,
    UNLOAD_MODEL,
    FakeServer,
    get_model,
)


def test_a_long_list_is_read_page_by_page(bench: Bench) -> None:
    pages = {"": (["a", "b"], "p2"), "p2": (["c"], "p3"), "p3": (["d"], "")}

    def list_models(request: bytes, _: Any) -> bytes:
        names, following = pages[ListModelsRequest.FromString(request).page_token]
        models = [ModelStatus(model_name=name) for name in names]
        return ListModelsResponse(models=models, next_page_token=following).SerializeToString()

    models = bench.client(bench.server({LIST_MODELS: list_models})).call("list_models")
    assert [model.model_name for model in models] == ["a", "b", "c", "d"]


def test_only_get_model_asks_for_the_weights(bench: Bench) -> None:
    server = bench.server()
    client = bench.client(server)
    client.call("get_metadata", "double", version=2)
    client.call("get_model", "double", version=3)
    asked = [GetModelRequest.FromString(request) for request in server.requests]
    assert [(request.model_version, request.include_weights) for request in asked] == [(2, False), (3, True)]


def test_a_model_over_the_limit_is_not_sent(bench: Bench) -> None:
    server = bench.server()
    model = Sequential([Input((100,)), Dense(100)], seed=0).to_message("large")
    with pytest.raises(MessageTooLargeError, match="put it into the server's model repository") as refused:
        bench.client(server, max_message_bytes=10_000).call("load_model", model)
    assert (refused.value.reason, refused.value.model) == (Reason.MESSAGE_TOO_LARGE, "large")
    assert server.calls == []


@pytest.mark.parametrize("change", ["load_model", "unload_model"])
def test_what_the_client_knew_of_a_model_it_forgets_when_it_changes_it(bench: Bench, change: str) -> None:
    server = bench.server(
        {
            GET_MODEL: get_model,
            LOAD_MODEL: lambda *_: LoadModelResponse().SerializeToString(),
            UNLOAD_MODEL: lambda *_: UnloadModelResponse().SerializeToString(),
            INFER: lambda *_: b"",
        }
    )
    client = bench.client(server)
    client.call("get_metadata", "double")
    client.call(change, "double")
    client.call("infer", "double", [1, 2, 3], layers=[])  # no longer known to be wrong, so it is sent
    assert server.calls[-1] == INFER


def test_a_model_is_loaded_by_its_name_or_as_it_is(bench: Bench) -> None:
    server = bench.server({LOAD_MODEL: lambda *_: LoadModelResponse().SerializeToString()})
    client = bench.client(server)
    model = Sequential([Input((2,)), Dense(3)], seed=0).to_message("built")
    client.call("load_model", "stored", version=4)
    client.call("load_model", model)
    assert [LoadModelRequest.FromString(request) for request in server.requests] == [
        LoadModelRequest(model_name="stored", model_version=4),
        LoadModelRequest(model=model),
    ]


def test_a_model_is_loaded_in_a_precision(bench: Bench) -> None:
    server = bench.server({LOAD_MODEL: lambda *_: LoadModelResponse().SerializeToString()})
    client = bench.client(server)
    model = Sequential([Input((2,)), Dense(3)], seed=0).to_message("built")
    client.call("load_model", "stored", weights_precision="bf16")
    client.call("load_model", model, weights_precision="f32")
    assert [LoadModelRequest.FromString(request) for request in server.requests] == [
        LoadModelRequest(model_name="stored", weights_precision=WEIGHTS_PRECISION_BF16),
        LoadModelRequest(model=model, weights_precision=WEIGHTS_PRECISION_F32),
    ]
    with pytest.raises(InvalidArgumentError, match="weights_precision: got 'f16', expected f32 or bf16"):
        client.call("load_model", "stored", weights_precision="f16")
    assert len(server.calls) == 2


def test_a_model_with_its_weights_over_the_limit_says_both_sizes(bench: Bench) -> None:
    model = Sequential([Input((100,)), Dense(100)], seed=0).to_message("large")
    answer = GetModelResponse(model=model).SerializeToString()
    client = bench.client(bench.server({GET_MODEL: lambda *_: answer}), max_message_bytes=10_000)
    with pytest.raises(MessageTooLargeError, match=rf"got {len(answer)} bytes, expected at most 10000 bytes"):
        client.call("get_model", "large")


def test_a_server_that_is_not_there_yet_is_waited_for(bench: Bench) -> None:
    server = FakeServer()  # has its port, and does not listen yet
    client = bench.client(server)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.call, "wait_ready", timeout=20)
        assert not waiting.done()
        with server:
            waiting.result(20)


def test_a_server_that_is_not_ready_yet_is_waited_for(bench: Bench) -> None:
    answers = iter([b"\x08\x02", b"\x08\x02", b"\x08\x01"])  # NOT_SERVING twice, then SERVING
    server = bench.server({CHECK_HEALTH: lambda *_: next(answers)})
    bench.client(server).call("wait_ready", timeout=20)
    assert server.calls == [CHECK_HEALTH] * 3
