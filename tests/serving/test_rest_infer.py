"""Inference over HTTP: JSON, and binary data behind it."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from numbatch.batching import Priority, Request
from numbatch.engine import load_model
from support.manual_compute import ManualCompute
from support.reports import samples
from support.rest import JSON_LENGTH, Rest, binary_tensor, tensor
from support.server import RunningServer, running_server
from support.tiny import tiny_model
from support.towers import tower

ANYWHERE = "127.0.0.1:0"
ROWS = np.array([[1, -2], [3.5, 4]], np.float32)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model(), tower()], http_listen=ANYWHERE) as running:
        yield running


@pytest.fixture
def rest(server: RunningServer) -> Rest:
    return Rest(server.server.http_address)


def test_numbers_in_json_come_back_in_json(rest: Rest) -> None:
    reply = rest.infer("tiny", {"id": "first", "inputs": [tensor("input", ROWS.tolist())]})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.json == {
        "model_name": "tiny",
        "model_version": "1",
        "id": "first",
        "outputs": [{"name": "positive", "datatype": "FP32", "shape": [2, 2], "data": [2.0, 0.0, 7.0, 8.0]}],
    }


def test_what_programs_need_is_in_the_standard_library() -> None:
    with running_server([tiny_model()], http_listen=ANYWHERE) as running:
        url = f"http://{running.server.http_address}/v2/models/tiny/infer"
        said = {"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]}
        with urllib.request.urlopen(url, json.dumps(said).encode(), timeout=20) as answer:
            assert json.load(answer)["outputs"][0]["data"] == [2, 4]


def test_binary_data_come_back_as_binary_data_if_that_is_asked_for(rest: Rest) -> None:
    said = {"inputs": [binary_tensor("input", ROWS)], "parameters": {"binary_data_output": True}}
    reply = rest.infer_binary("tiny", said, ROWS.tobytes())
    assert reply.headers["Content-Type"] == "application/octet-stream"
    assert reply.json["outputs"] == [
        {"name": "positive", "datatype": "FP32", "shape": [2, 2], "parameters": {"binary_data_size": 16}}
    ]
    assert reply.body[int(reply.headers[JSON_LENGTH]) :] == np.array([2, 0, 7, 8], "<f4").tobytes()


def test_each_output_comes_as_it_is_asked_for(rest: Rest) -> None:
    outputs: list[dict[str, Any]] = [
        {"name": "scaled"},
        {"name": "positive", "parameters": {"binary_data": True}},
    ]
    said = {"inputs": [tensor("input", ROWS.tolist())], "outputs": outputs}
    reply = rest.infer("tiny", said)
    scaled, positive = reply.json["outputs"]
    assert (scaled["data"], positive["parameters"]) == ([2, -4, 7, 8], {"binary_data_size": 16})
    assert np.array_equal(reply.output("positive"), [[2, 0], [7, 8]])
    outputs[0]["parameters"] = {"binary_data": False}
    reply = rest.infer("tiny", {**said, "parameters": {"binary_data_output": True}})
    assert reply.json["outputs"][0]["data"] == [2, -4, 7, 8]


def test_json_and_binary_data_give_the_bits_that_every_other_way_gives(rest: Rest) -> None:
    model = load_model(tower())
    rng = np.random.default_rng(5)
    arrays = {
        "x": rng.standard_normal((7, 8)).astype(np.float32),
        "user": rng.integers(0, 50, (7, 1)).astype(np.int32),
        "words": rng.integers(0, 30, (7, 6)).astype(np.int32),
    }
    types = {"x": "FP32", "user": "INT32", "words": "INT32"}
    layers = ["text", "kind", "score"]
    expected = dict(model.run(arrays, layers=layers))
    outputs = [{"name": name} for name in layers]
    in_json = [tensor(name, array.tolist(), types[name]) for name, array in arrays.items()]
    behind = [binary_tensor(name, array, types[name]) for name, array in arrays.items()]
    replies = [
        rest.infer("tower", {"inputs": in_json, "outputs": outputs}),
        rest.infer("tower", {"inputs": in_json, "outputs": outputs, "parameters": {"binary_data_output": True}}),
        rest.infer_binary("tower", {"inputs": behind, "outputs": outputs}, *(a.tobytes() for a in arrays.values())),
        # One behind the JSON, two in it.
        rest.infer_binary("tower", {"inputs": [behind[0], *in_json[1:]], "outputs": outputs}, arrays["x"].tobytes()),
    ]
    for reply in replies:
        assert [output["name"] for output in reply.json["outputs"]] == layers
        for name in layers:
            assert reply.output(name).tobytes() == expected[name].tobytes()


@pytest.mark.parametrize("data", [[1, -2, 3, 4], [[1, -2], [3, 4]], [[[1], [-2]], [[3], [4]]], [[1, -2, 3, 4]]])
def test_data_are_nested_as_their_sender_likes(rest: Rest, data: Any) -> None:
    reply = rest.infer("tiny", {"inputs": [tensor("input", data, shape=[2, 2])]})
    assert reply.output("positive").tolist() == [[2, 0], [6, 8]]


@pytest.mark.parametrize(
    "datatype", ["FP64", "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"]
)
def test_every_type_of_numbers_is_read_from_json(rest: Rest, datatype: str) -> None:
    data: Any = [True, False] if datatype == "BOOL" else [1, 0]
    reply = rest.infer("tiny", {"inputs": [tensor("input", data, datatype, [1, 2])]})
    assert reply.output("positive").tolist() == [[2, 0]]


def test_what_is_no_number_comes_and_goes_as_triton_writes_it(rest: Rest) -> None:
    body = b'{"inputs": [{"name": "input", "datatype": "FP32", "shape": [2, 2], "data": [NaN, -Infinity, 3e38, -3e38]}]'
    reply = rest.infer("tiny", body + b', "outputs": [{"name": "scaled"}]}')
    assert b'"data": [NaN,NaN,Infinity,-Infinity]' in reply.body


def test_a_version_is_asked_for_in_the_path(rest: Rest) -> None:
    said = {"inputs": [tensor("input", [[1, 2]])]}
    assert rest.post("/v2/models/tiny/versions/1/infer", said).json["model_version"] == "1"
    assert rest.post("/v2/models/tiny/versions/7/infer", said).problem[:2] == (404, "VERSION_NOT_FOUND")
    assert rest.post("/v2/models/tiny/versions/newest/infer", said).problem[:2] == (400, "INVALID_FIELD")


def test_a_large_answer_is_written_piece_by_piece(rest: Rest) -> None:
    x = np.random.default_rng(1).standard_normal((6000, 2)).astype(np.float32)
    for parameters in ({}, {"binary_data_output": True}):
        said = {"inputs": [binary_tensor("input", x)], "outputs": [{"name": "scaled"}], "parameters": parameters}
        assert rest.infer_binary("tiny", said, x.tobytes()).output("scaled").tobytes() == (2 * x).tobytes()


def test_urgency_and_time_are_parameters() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], http_listen=ANYWHERE, compute=compute) as running:
        rest = Rest(running.server.http_address)
        said = {"inputs": [tensor("input", [[1, 2]])], "parameters": {"priority": 1, "timeout": 10_000_000}}
        job_of = _answered_by(compute, lambda: rest.infer("tiny", said).status == 200)
        assert job_of.priority is Priority.HIGH
        assert job_of.deadline < float("inf")
        said["parameters"] = {"timeout": 1}
        assert rest.infer("tiny", said).problem[:2] == (504, "DEADLINE_EXCEEDED")


def test_requests_are_counted(rest: Rest, server: RunningServer) -> None:
    name = "numbatch_requests_total"

    def counted(model: str, reason: str) -> float:
        found = samples(rest.get("/metrics").body.decode(), [name])
        return sum(value for (_, labels), value in found.items() if {"HttpInfer", model, reason} <= set(labels))

    before = [counted("tiny", "OK"), counted("tiny", "SHAPE_MISMATCH"), counted("(unknown)", "MODEL_NOT_FOUND")]
    rest.infer("tiny", {"inputs": [tensor("input", [[1, 2]])]})
    rest.infer("tiny", {"inputs": [tensor("input", [[1, 2, 3]])]})
    rest.infer("made%20up", {"inputs": []})
    after = [counted("tiny", "OK"), counted("tiny", "SHAPE_MISMATCH"), counted("(unknown)", "MODEL_NOT_FOUND")]
    assert [new - old for old, new in zip(before, after, strict=True)] == [1, 1, 1]


def _answered_by(compute: ManualCompute, ask: Callable[[], bool]) -> Request:
    """Ask on another thread, run the job that comes, and return its request."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask)
        job = compute.next_job()
        job.run()
        assert asked.result(20)
    return job.request
