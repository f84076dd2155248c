"""ModelStreamInfer: one answer for each request, in their order; what fails is said in its place."""

import grpc
import numpy as np
import pytest

from numbatch.oip.grpc_inference_service_pb2 import ModelInferRequest, ModelStreamInferResponse
from support.manual_compute import ManualCompute
from support.oip import MODEL_STREAM_INFER, outputs, request, stream
from support.raw_calls import RawCalls, raw_calls
from support.server import running_server
from support.tiny import tiny_model


def test_every_request_is_answered_in_its_place(calls: RawCalls) -> None:
    answers = stream(calls, [request("tiny", [[n, -n]], id=str(n)) for n in range(20)])
    assert [answer.infer_response.id for answer in answers] == [str(n) for n in range(20)]
    assert [outputs(answer.infer_response)["positive"].tolist() for answer in answers] == [
        [[2 * n, 0]] for n in range(20)
    ]
    assert not any(answer.error_message for answer in answers)


def test_what_fails_says_why_and_for_whom_and_the_stream_goes_on(calls: RawCalls) -> None:
    bad = [
        request("tiny", [1, 2, 3], id="wide"),
        request("no model", [1, 1], id="who"),
        request("tiny", [1, 1], outputs=["x"], id="what"),
        request("tiny", [1, 1], sequence_id=1, id="again"),
        ModelInferRequest(model_name="tiny", id="x" * 5000),
    ]
    answers = stream(calls, [*bad, request("tiny", [1, 1], id="good")])
    told = [(answer.infer_response.id, answer.error_message) for answer in answers]
    assert told[:4] == [
        ("wide", "[SHAPE_MISMATCH] inputs[0].shape: got [3], expected [..., 2]"),
        (
            "who",
            "[MODEL_NOT_FOUND] model_name: no such model on this server: got 'no model', expected tiny",
        ),
        ("what", "[UNKNOWN_LAYER] outputs[0].name: no such layer: got 'x', expected one of scaled, positive"),
        (
            "again",
            "[FEATURE_UNSUPPORTED] parameters.sequence_id: a model keeps nothing from one request to the next: got 1",
        ),
    ]
    assert told[4][1] == "[INVALID_FIELD] id: got 5000 characters, expected at most 128"
    assert len(told[4][0]) < 1000
    assert outputs(answers[5].infer_response)["positive"].tolist() == [2, 2]


def test_bytes_that_are_no_request_do_not_end_the_stream(calls: RawCalls) -> None:
    method = calls.channel.stream_stream(MODEL_STREAM_INFER)
    sent = [b"\xff\xff", request("tiny", [1, 1]).SerializeToString()]
    first, second = [ModelStreamInferResponse.FromString(data) for data in method(iter(sent), timeout=20)]
    assert first.error_message == (
        "[MALFORMED_MESSAGE] 2 bytes that are no inference.ModelInferRequest; check the client's .proto files"
    )
    assert outputs(second.infer_response)["positive"].tolist() == [2, 2]


def test_large_answers_are_streamed_too(calls: RawCalls) -> None:
    x = np.linspace(-3, 3, 14_000, dtype=np.float32).reshape(-1, 2)
    (answer,) = stream(calls, [request("tiny", x)])
    assert np.array_equal(outputs(answer.infer_response)["positive"], np.maximum(2 * x, 0))


@pytest.mark.parametrize("wanted", [True, False])
def test_who_asks_whether_an_answer_is_the_last_is_told_so(calls: RawCalls, wanted: bool) -> None:
    (answer,) = stream(calls, [request("tiny", [1, 1], triton_enable_empty_final_response=wanted)])
    parameters = answer.infer_response.parameters
    assert ("triton_final_response" in parameters) is wanted
    assert not wanted or parameters["triton_final_response"].bool_param


def test_work_of_a_stream_that_was_cancelled_never_runs() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        method = calls.channel.stream_stream(MODEL_STREAM_INFER)
        answers = method(iter([request("tiny", [1, 1]).SerializeToString()]), timeout=20)
        job = compute.next_job()
        answers.cancel()
        job.wait_cancelled()
        assert not job.run()
        with pytest.raises(grpc.RpcError) as ended:
            next(answers)
        assert ended.value.code() is grpc.StatusCode.CANCELLED
