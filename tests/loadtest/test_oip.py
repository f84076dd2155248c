"""Load tests of servers that speak the Open Inference Protocol."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numbatch.client import NotFoundError
from numbatch.loadtest import Results, Workload, WorkloadError, run
from numbatch.loadtest.protocol import Tensor
from numbatch.loadtest.protocol_oip import OpenInference
from numbatch.loadtest.results import Outcomes
from numbatch.oip.grpc_inference_service_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataResponse,
    ModelStreamInferResponse,
)
from support.fake_oip import METHODS, MODEL_INFER, MODEL_METADATA, MODEL_STREAM_INFER, enveloped, raw, stream_of, typed
from support.fake_server import FakeServer

PROTOCOL = OpenInference()


def load_of(server: FakeServer, **known: Any) -> Results:
    usual = {"model": "double", "messages": 5, "duration_s": None, "count": 20, "warmup_s": 0.0, "metrics": ""}
    return run(Workload(**{"protocol": "oip", **usual, **known}), server=server.address)


@pytest.mark.parametrize("scenario", ["single", "stream"])
@pytest.mark.parametrize(
    "methods",
    [
        {},
        {MODEL_INFER: typed, MODEL_STREAM_INFER: stream_of(raw)},
    ],
    ids=["as Triton does", "as MLServer does"],
)
def test_every_answer_is_compared(scenario: str, methods: dict[str, Any], tmp_path: Path) -> None:
    rows = {"x": np.arange(10, dtype=np.float32).reshape(5, 2)}
    right = {"twice": 2 * rows["x"]}
    wrong = {"twice": right["twice"] + np.eye(5, 2)}
    usual = {"scenario": scenario, "data": rows, "mismatch_folder": tmp_path}
    with FakeServer(METHODS | methods) as server:
        good, bad = (load_of(server, **usual, expect=expected) for expected in (right, wrong))
    assert good.steps[0].outcomes == Outcomes(ok=20)
    assert (good.server.version, good.verdict) == (2, "ok")
    assert bad.steps[0].outcomes == Outcomes(ok=12, mismatch=8)
    assert bad.mismatches[0].model == "double/2"


def test_answers_may_be_allowed_to_differ_a_little(tmp_path: Path) -> None:
    numbers = itertools.count()

    def inexact(request: bytes, _: Any) -> bytes:
        answer = ModelInferResponse.FromString(raw(request))
        off = np.float32(1 + 1e-5 * (next(numbers) % 3))
        answer.raw_output_contents[0] = (np.frombuffer(answer.raw_output_contents[0], "<f4") * off).tobytes()
        return answer.SerializeToString()

    with FakeServer(METHODS | {MODEL_INFER: inexact}) as server:
        strict, lenient = (load_of(server, tolerance=share, mismatch_folder=tmp_path) for share in (0.0, 1e-4))
    assert strict.steps[0].outcomes.mismatch > 0
    assert lenient.steps[0].outcomes == Outcomes(ok=20)


def test_errors_on_a_stream_are_those_of_their_requests() -> None:
    def every_other_one(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for number, request in enumerate(requests):
            yield ModelStreamInferResponse(error_message="no").SerializeToString() if number % 2 else enveloped(request)

    with FakeServer(METHODS | {MODEL_STREAM_INFER: every_other_one}) as server:
        [step] = load_of(server, scenario="stream", verify=False).steps
    assert step.outcomes == Outcomes(ok=10, failed=10)
    assert step.errors == {"no": 10}


def test_an_unknown_model_is_the_clients_error() -> None:
    with FakeServer(METHODS) as server, pytest.raises(NotFoundError):
        load_of(server, model="nobody")


def test_a_server_that_does_not_say_what_a_model_takes_cannot_be_tested() -> None:
    def nothing(_: bytes, __: Any) -> bytes:
        return ModelMetadataResponse(name="double").SerializeToString()

    with FakeServer(METHODS | {MODEL_METADATA: nothing}) as server, pytest.raises(WorkloadError) as refused:
        load_of(server)
    assert "does not say what 'double' takes" in str(refused.value)


def test_answers_that_cannot_be_compared_are_said_to_be_so() -> None:
    def text(_: bytes, __: Any) -> bytes:
        return ModelInferResponse(outputs=[{"name": "t", "datatype": "BYTES", "shape": [1]}]).SerializeToString()

    with FakeServer(METHODS | {MODEL_INFER: text}) as server, pytest.raises(WorkloadError) as refused:
        load_of(server)
    assert "an answer of 'double' cannot be read: output 't' is BYTES" in str(refused.value)


def test_models_are_described() -> None:
    metadata = ModelMetadataResponse(
        versions=["3", "v4", "12"],
        inputs=[
            {"name": "a", "datatype": "FP64", "shape": [-1, 3, -1]},
            {"name": "b", "datatype": "BOOL", "shape": [-1]},
            {"name": "c", "datatype": "BYTES", "shape": [-1, 1]},
        ],
    )
    model = PROTOCOL.describe(lambda *_: metadata.SerializeToString(), "m", 0)
    assert model.version == 12
    assert model.inputs == (
        Tensor("a", "float64", (3, -1)),
        Tensor("b", "bool", ()),
        Tensor("c", "BYTES", (1,)),
    )
    assert PROTOCOL.describe(lambda *_: metadata.SerializeToString(), "m", 3).version == 3
    assert PROTOCOL.describe(lambda *_: b"", "m", 0).version is None


def test_requests_have_a_name_and_raw_contents() -> None:
    arrays = {"a": np.array([[1.0], [2.0]], ">f8"), "b": np.array([True, False])}
    request = ModelInferRequest.FromString(PROTOCOL.request("m", 7, arrays, streamed=False))
    assert (request.model_name, request.model_version) == ("m", "7")
    assert request.id  # or else servers make one up, and no two answers have the same bytes
    assert [(one.name, one.datatype, list(one.shape)) for one in request.inputs] == [
        ("a", "FP64", [2, 1]),
        ("b", "BOOL", [2]),
    ]
    assert list(request.raw_input_contents) == [np.array([1.0, 2.0], "<f8").tobytes(), b"\1\0"]


@pytest.mark.parametrize(
    ("datatype", "contents", "elements"),
    [
        ("BOOL", {"bool_contents": [True, False]}, b"\1\0"),
        ("INT8", {"int_contents": [1, -2]}, b"\1\xfe"),
        ("UINT16", {"uint_contents": [1, 258]}, b"\1\0\2\1"),
        ("INT64", {"int64_contents": [-1, 2]}, np.array([-1, 2], "<i8").tobytes()),
        ("UINT64", {"uint64_contents": [1, 2]}, np.array([1, 2], "<u8").tobytes()),
        ("FP32", {"fp32_contents": [0.5, 2]}, np.array([0.5, 2], "<f4").tobytes()),
        ("FP64", {"fp64_contents": [0.1, 2]}, np.array([0.1, 2], "<f8").tobytes()),
    ],
)
def test_both_kinds_of_contents_are_read_alike(datatype: str, contents: Any, elements: bytes) -> None:
    output = {"name": "y", "datatype": datatype, "shape": [2, 1]}
    one_by_one = ModelInferResponse(outputs=[output | {"contents": contents}])
    as_bytes = ModelInferResponse(outputs=[output], raw_output_contents=[elements])
    read = [PROTOCOL.answer(one.SerializeToString(), streamed=False).outputs["y"] for one in (one_by_one, as_bytes)]
    assert read[0].dtype == read[1].dtype
    assert read[0].shape == read[1].shape == (2, 1)
    assert read[0].tobytes() == read[1].tobytes() == elements


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"raw_output_contents": [b""]}, "1 raw contents for 0 outputs"),
        ({"outputs": [{"name": "y", "datatype": "FP16", "shape": [1]}]}, "output 'y' is FP16 without raw contents"),
        ({"outputs": [{"name": "y", "datatype": "FP32", "shape": [1]}]}, "has 0 elements, expected shape [1]"),
        (
            {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1]}], "raw_output_contents": [b"abc"]},
            "has 3 bytes, expected elements of 4",
        ),
        (
            {"outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, -1]}], "raw_output_contents": [b"abcd"]},
            "has 1 elements, expected shape [-1, -1]",
        ),
    ],
)
def test_broken_answers_are_none(answer: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        PROTOCOL.answer(ModelInferResponse(**answer).SerializeToString(), streamed=False)


@pytest.mark.parametrize("streamed", [False, True])
def test_what_is_no_message_is_no_answer(streamed: bool) -> None:
    with pytest.raises(ValueError, match="not an answer"):
        PROTOCOL.answer(b"\xff\xff", streamed=streamed)
