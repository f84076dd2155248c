"""ModelInfer: answers. Requests that are refused are in test_refusals.py."""

import math
import time
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.engine import load_model
from numbatch.wire.reasons import Code, Reason
from support.manual_compute import ManualCompute
from support.oip import MODEL_INFER, model_infer, outputs, request, typed
from support.raw_calls import RawCalls, raw_calls, refusal
from support.server import running_server
from support.tiny import tiny_model
from support.towers import tower


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3)])
def test_batch_axes_come_back(calls: RawCalls, batch: tuple[int, ...]) -> None:
    x = np.arange(math.prod(batch) * 2).reshape(*batch, 2) - 2
    found = outputs(model_infer(calls, request("tiny", x)))
    assert list(found) == ["positive"]
    assert np.array_equal(found["positive"], np.maximum(2 * x, 0))
    assert found["positive"].shape == x.shape


def test_any_layer_is_an_output_and_they_come_in_the_order_asked_for(calls: RawCalls) -> None:
    found = outputs(model_infer(calls, request("tiny", [[1, -1]], outputs=["positive", "scaled"])))
    assert [(name, output.tolist()) for name, output in found.items()] == [
        ("positive", [[2, 0]]),
        ("scaled", [[2, -2]]),
    ]


@pytest.mark.parametrize("version", ["", "1"])
def test_the_answer_says_what_ran_and_for_whom(calls: RawCalls, version: str) -> None:
    response = model_infer(calls, request("tiny", [1, 1], version=version, id="r-7"))
    assert (response.model_name, response.model_version, response.id) == ("tiny", "1", "r-7")


def test_a_large_request_is_answered_with_the_same_bits_as_a_small_one(calls: RawCalls) -> None:
    x = np.linspace(-3, 3, 14_000, dtype=np.float32).reshape(-1, 2)
    whole = outputs(model_infer(calls, request("tiny", x)))["positive"]
    assert np.array_equal(whole, np.maximum(2 * x, 0))


def test_several_inputs_come_by_name_in_any_order() -> None:
    model = tower()
    x, user, words = (
        np.full((3, 8), 0.5, "f4"),
        np.array([[1], [2], [49]], "i4"),
        np.arange(18, dtype="i4").reshape(3, 6),
    )
    expected = load_model(model).run({"x": x, "user": user, "words": words})
    with running_server([model]) as server, raw_calls(server.address) as calls:
        for inputs in ({"words": words, "x": x, "user": user}, {"user": user.astype("u1"), "x": x, "words": words}):
            found = outputs(model_infer(calls, request("tower", inputs=inputs)))
            assert [(name, output.tobytes()) for name, output in found.items()] == [
                (name, output.tobytes()) for name, output in expected
            ]
        wrong = {"user": np.array([[50]] * 3, "i8"), "x": x, "words": words}
        refused = refusal(lambda: model_infer(calls, request("tower", inputs=wrong)))
        assert (refused.reason, refused.got) == (Reason.INDEX_OUT_OF_RANGE, "50")


# What comes -> what the float32 input has of it; the network doubles it.
NUMBERS: dict[str, tuple[Any, list[float]]] = {
    "FP64": (np.array([[0.5, -0.5]]), [1, 0]),
    "FP16": (np.array([[0.5, 2.25]], "f2"), [1, 4.5]),
    "BOOL": (np.array([[True, False]]), [2, 0]),
    "INT8": (np.array([[-128, 127]], "i1"), [0, 254]),
    "INT16": (np.array([[-5, 300]], "i2"), [0, 600]),
    "INT32": (np.array([[2**24 + 1, 3]], "i4"), [2**25, 6]),
    "INT64": (np.array([[2**40, 3]], "i8"), [2**41, 6]),
    "UINT8": (np.array([[255, 0]], "u1"), [510, 0]),
    "UINT16": (np.array([[65535, 0]], "u2"), [131070, 0]),
    "UINT32": (np.array([[2**32 - 256, 0]], "u4"), [2**33 - 512, 0]),
    "UINT64": (np.array([[2**63 + 2**41, 1]], "u8"), [2**64 + 2**42, 2]),
}


@pytest.mark.parametrize(("array", "expected"), NUMBERS.values(), ids=NUMBERS)
def test_every_type_of_numbers_becomes_float32(calls: RawCalls, array: Any, expected: list[float]) -> None:
    assert outputs(model_infer(calls, request("tiny", inputs={"": array})))["positive"].tolist() == [expected]


def test_bf16_is_the_upper_half_of_float32(calls: RawCalls) -> None:
    upper = (np.array([[1.5, -2]], "<f4").view("<u4") >> 16).astype("<u2")
    message = request("tiny", inputs={"": upper})
    message.inputs[0].datatype = "BF16"
    assert outputs(model_infer(calls, message, timeout=20))["positive"].tolist() == [[3, 0]]


TYPED: dict[str, tuple[str, list[Any], list[float]]] = {
    "FP32": ("fp32_contents", [0.5, -2], [1, 0]),
    "FP64": ("fp64_contents", [0.5, 1e30], [1, float(np.float32(2e30))]),
    "BOOL": ("bool_contents", [True, False], [2, 0]),
    "INT8": ("int_contents", [-128, 127], [0, 254]),
    "INT16": ("int_contents", [-3, 32767], [0, 65534]),
    "INT32": ("int_contents", [-(2**31), 2**24], [0, 2**25]),
    "INT64": ("int64_contents", [-1, 2**40], [0, 2**41]),
    "UINT8": ("uint_contents", [1, 255], [2, 510]),
    "UINT16": ("uint_contents", [1, 65535], [2, 131070]),
    "UINT32": ("uint_contents", [1, 2**31], [2, 2**32]),
    "UINT64": ("uint64_contents", [1, 2**63], [2, 2**64]),
}


@pytest.mark.parametrize(("field", "values", "expected"), TYPED.values(), ids=TYPED)
def test_typed_contents_are_read_as_raw_ones_are(
    calls: RawCalls, request: pytest.FixtureRequest, field: str, values: list[Any], expected: list[float]
) -> None:
    datatype = request.node.callspec.id
    assert outputs(model_infer(calls, typed(datatype, [1, 2], **{field: values})))["positive"].tolist() == [expected]


@pytest.mark.parametrize("data", [b"\xff\xff", request("tiny", [1, 1]).SerializeToString()[:-3]])
def test_bytes_that_are_no_request_are_refused(calls: RawCalls, data: bytes) -> None:
    refused = refusal(lambda: calls.unary(MODEL_INFER, data))
    assert (refused.reason, refused.code) == (Reason.MALFORMED_MESSAGE, Code.INVALID_ARGUMENT)


def test_a_refusal_names_the_request_what_came_and_what_was_expected(calls: RawCalls) -> None:
    refused = refusal(lambda: model_infer(calls, request("tiny", np.zeros((4, 3)), id="r-9")))
    assert refused.message == "inputs[0].shape: got [4, 3], expected [..., 2]"
    assert (refused.model, refused.request_id) == ("tiny", "r-9")


def test_parameters_that_mean_nothing_here_are_passed_over(calls: RawCalls) -> None:
    message = request("tiny", [1, 1], priority=3, timeout=0, sequence_id=0, sequence_end=False, colour="red")
    message.parameters["empty"].SetInParent()
    assert outputs(model_infer(calls, message))["positive"].tolist() == [2, 2]


def test_an_empty_message_of_contents_beside_raw_ones_is_none(calls: RawCalls) -> None:
    message = request("tiny", [1, 1])
    message.inputs[0].contents.SetInParent()
    assert outputs(model_infer(calls, message))["positive"].tolist() == [2, 2]


def test_fields_of_a_later_protocol_among_typed_contents_are_passed_over(calls: RawCalls) -> None:
    message = typed("INT64", [1, 2], int64_contents=[1, 300])
    message.inputs[0].contents.MergeFromString(b"\x7a\x05later")
    assert outputs(model_infer(calls, message))["positive"].tolist() == [[2, 600]]


def test_an_answer_over_the_limit_is_refused_with_both_sizes(calls: RawCalls) -> None:
    refused = refusal(lambda: model_infer(calls, request("tiny", np.zeros((5000, 2)), outputs=["scaled", "positive"])))
    assert (refused.reason, refused.code) == (Reason.MESSAGE_TOO_LARGE, Code.RESOURCE_EXHAUSTED)
    assert refused.expected == "at most 65536 bytes"


def test_priority_one_is_urgent_and_runs_first() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        for priority, urgent in ((1, True), (2, False), (0, False)):
            data = request("tiny", [1, 1], priority=priority).SerializeToString()
            future = calls.channel.unary_unary(MODEL_INFER).future(data, timeout=20)
            job = compute.next_job()
            assert (job.request.priority == 0) is urgent
            job.run()
            future.result()


def test_nobody_waits_for_the_answer_when_the_timeout_is_over() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as own:
        data = request("tiny", [1, 1], timeout=10_000_000).SerializeToString()
        future = own.channel.unary_unary(MODEL_INFER).future(data, timeout=20)
        job = compute.next_job()
        assert time.monotonic() < job.request.deadline <= time.monotonic() + 10
        job.run()
        future.result()


def test_work_of_a_caller_who_has_cancelled_never_runs() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        future = calls.channel.unary_unary(MODEL_INFER).future(request("tiny", [1, 1]).SerializeToString(), timeout=10)
        job = compute.next_job()
        future.cancel()
        job.wait_cancelled()
        assert not job.run()


def test_a_message_over_the_limit_is_refused_and_the_next_one_answered(calls: RawCalls) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        model_infer(calls, request("tiny", np.zeros((9000, 2))))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert outputs(model_infer(calls, request("tiny", [1, 1])))["positive"].tolist() == [2, 2]
