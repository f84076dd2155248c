"""Triton's client for Python, unmodified: every call of it that means something here."""

import asyncio
import json
import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from support.server import RunningServer, running_server
from support.tiny import tiny_model

triton = pytest.importorskip("tritonclient.grpc")
aio = pytest.importorskip("tritonclient.grpc.aio")
utils = pytest.importorskip("tritonclient.utils")

X = np.array([[1, -2], [3, 4]], np.float32)
DOUBLED = [[2, 0], [6, 8]]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model()]) as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[Any]:
    with triton.InferenceServerClient(server.address) as client:
        yield client


def inputs(x: Any = X, datatype: str = "FP32") -> list[Any]:
    tensor = triton.InferInput("input", list(x.shape), datatype)
    return [tensor.set_data_from_numpy(x)]


def test_probes(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("tiny")
    assert client.is_model_ready("tiny", "1")
    assert not client.is_model_ready("tinny")


def test_descriptions(client: Any) -> None:
    assert client.get_server_metadata().name == "numbatch"
    assert [tensor.name for tensor in client.get_model_metadata("tiny").inputs] == ["input"]
    assert client.get_model_config("tiny").config.max_batch_size == 1024
    assert client.get_model_config("tiny", as_json=True)["config"]["backend"] == "numbatch"


def test_inference(client: Any) -> None:
    wanted = [triton.InferRequestedOutput("scaled"), triton.InferRequestedOutput("positive")]
    result = client.infer(
        "tiny", inputs(), model_version="1", outputs=wanted, request_id="r-7", priority=1, timeout=10_000_000
    )
    assert result.as_numpy("positive").tolist() == DOUBLED
    assert result.as_numpy("scaled").tolist() == (2 * X).tolist()
    assert result.as_numpy("other") is None
    assert (result.get_response().id, result.get_response().model_version) == ("r-7", "1")


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compressed_requests(client: Any, compression: str) -> None:
    result = client.infer("tiny", inputs(), compression_algorithm=compression)
    assert result.as_numpy("positive").tolist() == DOUBLED


def test_types_of_numbers(client: Any) -> None:
    for dtype in (np.float16, np.float64, np.int8, np.int16, np.int32, np.int64):
        datatype = utils.np_to_triton_dtype(dtype)
        assert client.infer("tiny", inputs(X.astype(dtype), datatype)).as_numpy("positive").tolist() == DOUBLED


def test_callbacks(client: Any) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    client.async_infer("tiny", inputs(), lambda result, error: answers.put((result, error)))
    result, problem = answers.get(timeout=20)
    assert problem is None
    assert result.as_numpy("positive").tolist() == DOUBLED


def test_a_stream_with_a_bad_request_in_its_middle(client: Any) -> None:
    answers: queue.Queue[Any] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    for model in ("tiny", "tinny", "tiny"):
        client.async_stream_infer(model, inputs(), request_id=model, enable_empty_final_response=True)
    first, second, third = (answers.get(timeout=20) for _ in range(3))
    client.stop_stream()
    for result, problem in (first, third):
        assert problem is None
        assert result.as_numpy("positive").tolist() == DOUBLED
        assert result.get_response().parameters["triton_final_response"].bool_param
    assert second[0] is None
    assert str(second[1]).startswith("[MODEL_NOT_FOUND] model_name: no such model on this server")


def test_errors(client: Any) -> None:
    with pytest.raises(utils.InferenceServerException) as refused:
        client.infer("tiny", inputs(np.zeros((1, 3), np.float32)))
    assert refused.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert refused.value.message() == "inputs[0].shape: got [1, 3], expected [..., 2]"
    with pytest.raises(utils.InferenceServerException) as refused:
        client.infer("tiny", inputs(), sequence_id=7, sequence_start=True)
    assert refused.value.status() == "StatusCode.UNIMPLEMENTED"


def test_shared_memory(client: Any) -> None:
    shm = pytest.importorskip("tritonclient.utils.shared_memory")
    handle = shm.create_shared_memory_region("tensors", "/numbatch-test-tritonclient", 64)
    try:
        shm.set_shared_memory_region(handle, [X])
        client.register_system_shared_memory("tensors", "/numbatch-test-tritonclient", 64)
        assert list(client.get_system_shared_memory_status().regions) == ["tensors"]
        tensor = triton.InferInput("input", [2, 2], "FP32").set_shared_memory("tensors", 16)
        output = triton.InferRequestedOutput("positive")
        output.set_shared_memory("tensors", 16, offset=32)
        response = client.infer("tiny", [tensor], outputs=[output]).get_response()
        assert response.outputs[0].parameters["shared_memory_region"].string_param == "tensors"
        assert shm.get_contents_as_numpy(handle, np.float32, [2, 2], 32).tolist() == DOUBLED
        client.unregister_system_shared_memory("tensors")
        client.unregister_system_shared_memory()
    finally:
        shm.destroy_shared_memory_region(handle)


def test_the_repository_and_what_it_has_done(client: Any) -> None:
    client.unload_model("tiny")
    assert not client.is_model_ready("tiny")
    client.load_model("tiny")
    assert client.is_model_ready("tiny")
    (model,) = client.get_model_repository_index().models
    assert (model.name, model.version, model.state) == ("tiny", "1", "READY")
    before = client.get_inference_statistics("tiny").model_stats[0].inference_stats.success.count
    client.infer("tiny", inputs())
    assert client.get_inference_statistics("tiny").model_stats[0].inference_stats.success.count == before + 1
    with pytest.raises(utils.InferenceServerException, match="models are loaded as they are in the repository"):
        client.load_model("tiny", config=json.dumps({"max_batch_size": 1}))


def test_settings_and_memory_of_gpus(client: Any) -> None:
    assert "log_info" in client.get_log_settings().settings
    assert "trace_level" in client.get_trace_settings().settings
    with pytest.raises(utils.InferenceServerException, match="told so when it starts"):
        client.update_log_settings({"log_info": False})
    assert not client.get_cuda_shared_memory_status().regions
    client.unregister_cuda_shared_memory()
    with pytest.raises(utils.InferenceServerException, match="memory of GPUs"):
        client.register_cuda_shared_memory("r", b"", 0, 64)


def test_the_asyncio_client(server: RunningServer) -> None:
    async def requests() -> Any:
        for number in range(3):
            yield {"model_name": "tiny", "inputs": inputs(X + number), "request_id": str(number)}

    async def run() -> None:
        async with aio.InferenceServerClient(server.address) as client:
            assert await client.is_model_ready("tiny")
            result = await client.infer("tiny", inputs())
            assert result.as_numpy("positive").tolist() == DOUBLED
            answers = [answer async for answer in client.stream_infer(requests())]
            assert [problem for _, problem in answers] == [None] * 3
            assert [result.get_response().id for result, _ in answers] == ["0", "1", "2"]

    asyncio.run(run())
