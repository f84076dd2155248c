"""Infer over gRPC: answers, and every wrong request refused with its reason."""

import math
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.v1.inference_pb2 import InferRequest
from numbatch.v1.tensor_pb2 import DATA_TYPE_BFLOAT16, DATA_TYPE_FLOAT32, Tensor
from numbatch.wire.reasons import Code, Reason
from numbatch.wire.tensors import Float32Array
from support.manual_compute import ManualCompute
from support.raw_calls import INFER, RawCalls, error_of, infer_request, raw_calls, read_answer, refusal
from support.server import running_server
from support.tiny import tiny_model


def f32(*shape: int) -> Float32Array:
    return np.zeros(shape, np.float32)


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3)])
def test_batch_axes_come_back(calls: RawCalls, batch: tuple[int, ...]) -> None:
    x = np.arange(math.prod(batch) * 2).reshape(*batch, 2) - 2
    ((name, output),) = calls.infer("tiny", x)
    assert name == "positive"
    assert np.array_equal(output, np.maximum(2 * x, 0))
    assert output.shape == x.shape


def test_layers_come_in_the_order_asked_for(calls: RawCalls) -> None:
    outputs = calls.infer("tiny", [[1, -1]], layers=["positive", "scaled"])
    assert [(name, output.tolist()) for name, output in outputs] == [("positive", [[2, 0]]), ("scaled", [[2, -2]])]


def test_the_answer_says_what_ran_and_for_whom(calls: RawCalls) -> None:
    response, _ = read_answer(calls.unary(INFER, infer_request("tiny", [1, 1], version=1, request_id="r-7")))
    assert (response.model_name, response.model_version, response.request_id) == ("tiny", 1, "r-7")


def test_a_request_written_by_plain_protobuf_is_understood(calls: RawCalls) -> None:
    tensor = Tensor(name="input", data_type=DATA_TYPE_FLOAT32, shape=[2], data=np.array([1, 2], np.float32).tobytes())
    tensor.name = calls.get_model("tiny").metadata.inputs[0].name
    response, ((_, output),) = read_answer(
        calls.unary(INFER, InferRequest(model_name="tiny", inputs=[tensor]).SerializeToString())
    )
    assert output.tolist() == [2, 4]


def with_tensor(**fields: Any) -> bytes:
    tensor = Tensor(**{"data_type": DATA_TYPE_FLOAT32, "shape": [2], "data": bytes(8), **fields})
    return InferRequest(model_name="tiny", inputs=[tensor]).SerializeToString()


BAD = {
    "no message": (b"\xff\xff", Reason.MALFORMED_MESSAGE, ""),
    "truncated": (infer_request("tiny", [1, 1])[:-3], Reason.MALFORMED_MESSAGE, ""),
    "no model named": (infer_request("", [1, 1]), Reason.INVALID_FIELD, "model_name"),
    "unknown model": (infer_request("tinny", [1, 1]), Reason.MODEL_NOT_FOUND, "model_name"),
    "unknown version": (infer_request("tiny", [1, 1], version=2), Reason.VERSION_NOT_FOUND, "model_version"),
    "negative version": (infer_request("tiny", [1, 1], version=-1), Reason.INVALID_FIELD, "model_version"),
    "wrong width": (infer_request("tiny", [[1, 2, 3]]), Reason.SHAPE_MISMATCH, "inputs[0].shape"),
    "rank too low": (infer_request("tiny", 1.0), Reason.SHAPE_MISMATCH, "inputs[0].shape"),
    "negative axis": (with_tensor(shape=[-1, 2]), Reason.SHAPE_MISMATCH, "inputs[0].shape"),
    "axes beyond 64 bits": (with_tensor(shape=[2**62, 2**62, 2]), Reason.BYTE_COUNT_MISMATCH, "inputs[0].data"),
    "33 axes": (with_tensor(shape=[1] * 32 + [2]), Reason.SHAPE_MISMATCH, "inputs[0].shape"),
    "5000 long axes": (with_tensor(shape=[2**62] * 5000), Reason.SHAPE_MISMATCH, "inputs[0].shape"),
    "wrong type": (infer_request("tiny", inputs=[("", np.zeros(2, np.float16))]), Reason.DATA_TYPE_MISMATCH, None),
    "type without arrays": (
        with_tensor(data_type=DATA_TYPE_BFLOAT16),
        Reason.DATA_TYPE_MISMATCH,
        "inputs[0].data_type",
    ),
    "no type": (with_tensor(data_type=0), Reason.DATA_TYPE_MISMATCH, "inputs[0].data_type"),
    "bytes missing": (with_tensor(data=bytes(7)), Reason.BYTE_COUNT_MISMATCH, "inputs[0].data"),
    "bytes too many": (with_tensor(data=bytes(9)), Reason.BYTE_COUNT_MISMATCH, "inputs[0].data"),
    "empty batch": (infer_request("tiny", f32(0, 2)), Reason.EMPTY_BATCH, "inputs[0].shape"),
    "no input": (infer_request("tiny"), Reason.MISSING_INPUT, "inputs"),
    "unknown input": (infer_request("tiny", inputs=[("y", f32(2))]), Reason.UNKNOWN_INPUT, "inputs[0].name"),
    "input twice": (infer_request("tiny", inputs=[("", f32(2))] * 2), Reason.DUPLICATE_INPUT, "inputs[1].name"),
    "unknown layer": (infer_request("tiny", [1, 1], layers=["scaled", "x"]), Reason.UNKNOWN_LAYER, "layers[1]"),
    "layer twice": (infer_request("tiny", [1, 1], layers=["scaled"] * 2), Reason.DUPLICATE_LAYER, "layers[1]"),
    "long request id": (infer_request("tiny", [1, 1], request_id="x" * 129), Reason.INVALID_FIELD, "request_id"),
    "long model name": (infer_request("t" * 30_000, [1, 1]), Reason.MODEL_NOT_FOUND, "model_name"),
    "long wide layer name": (
        infer_request("tiny", [1, 1], layers=["\u00e9" * 9000]),
        Reason.UNKNOWN_LAYER,
        "layers[0]",
    ),
}


@pytest.mark.parametrize(("request_bytes", "reason", "field"), BAD.values(), ids=BAD.keys())
def test_a_wrong_request_is_refused_with_its_reason_and_field(
    calls: RawCalls, request_bytes: bytes, reason: Reason, field: str | None
) -> None:
    refused = refusal(lambda: calls.unary(INFER, request_bytes))
    assert refused.reason is reason
    assert field is None or refused.field == field
    assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]


def test_a_refusal_names_the_request_what_came_and_what_was_expected(calls: RawCalls) -> None:
    refused = refusal(lambda: calls.infer("tiny", f32(4, 3), request_id="r-9"))
    assert refused.message == "inputs[0].shape: got [4, 3], expected [..., 2]"
    assert (refused.model, refused.request_id) == ("tiny", "r-9")
    assert (refused.got, refused.expected) == ("[4, 3]", "[..., 2]")


def test_a_request_over_the_limit_is_refused_and_the_next_one_answered(calls: RawCalls) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        calls.infer("tiny", f32(9000, 2))
    # gRPC itself refuses it, before it has read it: there are no details.
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max (72" in refused.value.details()
    assert "vs. 65536)" in refused.value.details()
    assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]


# 8189 rows fit as outputs, and as a request, but not with the names that come with an answer.
@pytest.mark.parametrize(("rows", "layers"), [(8189, []), (5000, ["scaled", "positive"])])
def test_an_answer_over_the_limit_is_refused_with_both_sizes(calls: RawCalls, rows: int, layers: list[str]) -> None:
    refused = refusal(lambda: calls.infer("tiny", f32(rows, 2), layers=layers))
    assert (refused.reason, refused.code) == (Reason.MESSAGE_TOO_LARGE, Code.RESOURCE_EXHAUSTED)
    assert int(refused.got.split()[0]) > 65536
    assert refused.expected == "at most 65536 bytes"
    assert "send fewer rows at once" in refused.message


def test_the_largest_answer_within_the_limit_arrives(calls: RawCalls) -> None:
    ((_, output),) = calls.infer("tiny", f32(8180, 2))
    assert output.shape == (8180, 2)


def test_an_unknown_method_is_unimplemented(calls: RawCalls) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        calls.unary("/numbatch.v1.InferenceService/Train", b"")
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_bug_is_internal_and_tells_callers_nothing() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        future = calls.channel.unary_unary(INFER).future(infer_request("tiny", [1, 1]), timeout=10)
        compute.next_job().fail(ZeroDivisionError("secret"))
        refused = error_of(future.exception())
    assert (refused.reason, refused.code) == (Reason.INTERNAL, Code.INTERNAL)
    assert refused.message == "the batch that the request was in failed; the server's log says more"


def test_work_of_a_caller_who_has_cancelled_never_runs() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        future = calls.channel.unary_unary(INFER).future(infer_request("tiny", [1, 1]), timeout=10)
        job = compute.next_job()
        future.cancel()
        job.wait_cancelled()
        assert not job.run()


def test_work_of_a_caller_whose_deadline_has_passed_never_runs() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        with pytest.raises(grpc.RpcError) as late:
            calls.infer("tiny", [1, 1], timeout=0.2)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        job = compute.next_job()
        job.wait_cancelled()
        assert not job.run()
