"""Triton's own client over HTTP, as it is; where it is installed."""

import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from support.server import RunningServer, running_server
from support.tiny import tiny_model

pytest.importorskip("geventhttpclient")  # without it, the next says no more than that it cannot be had
triton = pytest.importorskip("tritonclient.http")
shared = pytest.importorskip("tritonclient.utils.shared_memory")

ROWS = np.array([[1, -2], [3.5, 4]], np.float32)
SCALED = 2 * ROWS
PACKINGS = [None, "gzip", "deflate"]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model()], http_listen="127.0.0.1:0") as running:
        yield running


@pytest.fixture
def client(server: RunningServer) -> Iterator[Any]:
    with triton.InferenceServerClient(server.server.http_address, concurrency=4) as client:
        yield client


def _input(x: npt.NDArray[Any], datatype: str = "FP32", *, binary: bool = True) -> Any:
    tensor = triton.InferInput("input", list(x.shape), datatype)
    tensor.set_data_from_numpy(x, binary_data=binary)
    return tensor


def _output(name: str, *, binary: bool = True) -> Any:
    return triton.InferRequestedOutput(name, binary_data=binary)


@pytest.mark.parametrize("asks", [False, True])
@pytest.mark.parametrize("binary_in", [False, True])
@pytest.mark.parametrize("binary_out", [False, True])
@pytest.mark.parametrize("packed", PACKINGS)
def test_inference_in_every_form(
    client: Any, asks: bool, binary_in: bool, binary_out: bool, packed: str | None
) -> None:
    result = client.infer(
        "tiny",
        [_input(ROWS, binary=binary_in)],
        outputs=[_output("scaled", binary=binary_out), _output("positive")] if asks else None,
        request_id="mine",
        request_compression_algorithm=packed,
        response_compression_algorithm=packed,
    )
    assert result.get_response()["id"] == "mine"
    assert result.as_numpy("positive").tobytes() == np.maximum(SCALED, 0).tobytes()
    if asks:
        assert result.as_numpy("scaled").tobytes() == SCALED.tobytes()


def test_a_long_answer_that_is_packed(client: Any) -> None:
    x = np.random.default_rng(7).standard_normal((20_000, 2)).astype(np.float32)
    result = client.infer("tiny", [_input(x)], outputs=[_output("scaled")], response_compression_algorithm="gzip")
    assert result.as_numpy("scaled").tobytes() == (2 * x).tobytes()


TYPES = {
    "FP16": np.float16,
    "FP64": np.float64,
    "BOOL": np.bool_,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
}
TYPES |= {"INT64": np.int64, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64}


@pytest.mark.parametrize("datatype", TYPES)
def test_every_type_of_numbers(client: Any, datatype: str) -> None:
    x: npt.NDArray[Any] = np.array([[1, 0]], TYPES[datatype])
    assert client.infer("tiny", [_input(x, datatype)]).as_numpy("positive").tolist() == [[2, 0]]


def test_several_at_once(client: Any) -> None:
    waiting = [client.async_infer("tiny", [_input(ROWS + i)], outputs=[_output("scaled")]) for i in range(16)]
    for i, answer in enumerate(waiting):
        assert np.array_equal(answer.get_result().as_numpy("scaled"), 2 * (ROWS + i))


def test_what_it_asks_about_the_server_and_its_models(client: Any) -> None:
    assert (client.is_server_live(), client.is_server_ready()) == (True, True)
    assert [client.is_model_ready("tiny"), client.is_model_ready("tiny", "1"), client.is_model_ready("other")] == [
        *(True, True, False)
    ]
    assert client.get_server_metadata()["name"] == "numbatch"
    assert client.get_model_metadata("tiny")["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 2]}]
    assert client.get_model_config("tiny", "1")["max_batch_size"] == 1024
    assert client.get_inference_statistics("tiny")["model_stats"][0]["name"] == "tiny"
    assert client.get_trace_settings()["trace_level"] == ["OFF"]
    assert client.get_log_settings()["log_error"] is True


def test_models_come_and_go(client: Any) -> None:
    client.unload_model("tiny")
    assert not client.is_model_ready("tiny")
    assert client.get_model_repository_index()[0]["state"] == "UNAVAILABLE"
    client.load_model("tiny")
    assert client.is_model_ready("tiny")


def test_tensors_in_shared_memory(client: Any) -> None:
    name = f"numbatch-test-{secrets.token_hex(8)}"
    region = shared.create_shared_memory_region("both", f"/{name}", 2 * ROWS.nbytes)
    try:
        shared.set_shared_memory_region(region, [ROWS])
        client.register_system_shared_memory("both", f"/{name}", 2 * ROWS.nbytes)
        assert [each["name"] for each in client.get_system_shared_memory_status()] == ["both"]
        goes_in = triton.InferInput("input", list(ROWS.shape), "FP32")
        goes_in.set_shared_memory("both", ROWS.nbytes)
        comes_out = _output("scaled")
        comes_out.set_shared_memory("both", ROWS.nbytes, ROWS.nbytes)
        client.infer("tiny", [goes_in], outputs=[comes_out])
        found = shared.get_contents_as_numpy(region, np.float32, ROWS.shape, ROWS.nbytes)
        assert np.array_equal(found, SCALED)
        del found
        client.unregister_system_shared_memory()
        assert client.get_system_shared_memory_status() == []
    finally:
        shared.destroy_shared_memory_region(region)


@pytest.mark.parametrize(
    ("model", "x", "status", "told"),
    [
        ("other", ROWS, "404", "no such model on this server"),
        ("tiny", np.zeros((2, 3), np.float32), "400", "inputs[0].shape: got [2, 3], expected [..., 2]"),
    ],
)
def test_what_it_raises(client: Any, model: str, x: npt.NDArray[Any], status: str, told: str) -> None:
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException) as raised:
        client.infer(model, [_input(x)])
    assert raised.value.status() == status
    assert told in raised.value.message()
