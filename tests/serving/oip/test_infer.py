"""ModelInfer: answers, and every wrong request refused with its reason and its field in the protocol's words."""

import math
import time
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.engine import load_model
from numbatch.oip.grpc_inference_service_pb2 import InferTensorContents, ModelInferRequest
from numbatch.wire.reasons import Code, Reason
from support.manual_compute import ManualCompute
from support.oip import MODEL_INFER, model_infer, outputs, request, set_parameter
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


def typed(datatype: str, shape: list[int], **contents: Any) -> ModelInferRequest:
    message = ModelInferRequest(model_name="tiny")
    message.inputs.add(name="input", datatype=datatype, shape=shape, contents=InferTensorContents(**contents))
    return message


def changed(change: Callable[[ModelInferRequest], object]) -> ModelInferRequest:
    """A good request with one thing wrong."""
    message = request("tiny", [[1, 1]])
    message.inputs[0].name = "input"
    change(message)
    return message


def with_input(name: str, elements: int) -> ModelInferRequest:
    def change(message: ModelInferRequest) -> None:
        message.inputs.add(name=name, datatype="FP32", shape=[elements])
        message.raw_input_contents.append(bytes(4 * elements))

    return changed(change)


def with_shape(*shape: int) -> ModelInferRequest:
    def change(message: ModelInferRequest) -> None:
        message.inputs[0].shape[:] = shape

    return changed(change)


def with_raw(*raw: bytes) -> ModelInferRequest:
    def change(message: ModelInferRequest) -> None:
        message.raw_input_contents[:] = raw

    return changed(change)


def with_datatype(datatype: str) -> ModelInferRequest:
    return changed(lambda message: setattr(message.inputs[0], "datatype", datatype))


def with_parameters(**parameters: Any) -> ModelInferRequest:
    return request("tiny", [1, 1], **parameters)


def with_tensor_parameters(kind: str, **parameters: object) -> ModelInferRequest:
    message = request("tiny", [1, 1], outputs=["positive"])
    if kind == "inputs":
        del message.raw_input_contents[:]
    for name, value in parameters.items():
        set_parameter(getattr(message, kind)[0].parameters, name, value)
    return message


NO_TYPE, NO_SHAPE, NO_BYTES = Reason.DATA_TYPE_MISMATCH, Reason.SHAPE_MISMATCH, Reason.BYTE_COUNT_MISMATCH

BAD: dict[str, tuple[ModelInferRequest, Reason, str]] = {
    # The model.
    "no model": (request("", [1, 1]), Reason.INVALID_FIELD, "model_name"),
    "blank model": (request(" ", [1, 1]), Reason.MODEL_NOT_FOUND, "model_name"),
    "unknown model": (request("tinny", [1, 1]), Reason.MODEL_NOT_FOUND, "model_name"),
    "unknown version": (request("tiny", [1, 1], version="2"), Reason.VERSION_NOT_FOUND, "model_version"),
    "version 0": (request("tiny", [1, 1], version="0"), Reason.INVALID_FIELD, "model_version"),
    "negative version": (request("tiny", [1, 1], version="-1"), Reason.INVALID_FIELD, "model_version"),
    "version of letters": (request("tiny", [1, 1], version="one"), Reason.INVALID_FIELD, "model_version"),
    "version in other digits": (request("tiny", [1, 1], version="\u0661"), Reason.INVALID_FIELD, "model_version"),
    "version beyond 64 bits": (request("tiny", [1, 1], version="9" * 99), Reason.INVALID_FIELD, "model_version"),
    "long id": (request("tiny", [1, 1], id="x" * 129), Reason.INVALID_FIELD, "id"),
    # Which tensors.
    "no input": (request("tiny"), Reason.MISSING_INPUT, "inputs"),
    "unknown input": (request("tiny", inputs={"y": np.zeros(2, "f4")}), Reason.UNKNOWN_INPUT, "inputs[0].name"),
    "input twice": (
        with_input("input", 2),
        Reason.DUPLICATE_INPUT,
        "inputs[1].name",
    ),
    "input too many": (
        with_input("y", 1),
        Reason.UNKNOWN_INPUT,
        "inputs[1].name",
    ),
    "very many inputs": (changed(lambda m: m.inputs.extend(list(m.inputs) * 1024)), Reason.INVALID_FIELD, "inputs"),
    "unknown output": (
        request("tiny", [1, 1], outputs=["scaled", "x"]),
        Reason.UNKNOWN_LAYER,
        "outputs[1].name",
    ),
    "output without a name": (request("tiny", [1, 1], outputs=[""]), Reason.UNKNOWN_LAYER, "outputs[0].name"),
    "output twice": (request("tiny", [1, 1], outputs=["scaled"] * 2), Reason.DUPLICATE_LAYER, "outputs[1].name"),
    "very many outputs": (request("tiny", [1, 1], outputs=["x"] * 1025), Reason.INVALID_FIELD, "outputs"),
    # Data types.
    "no data type": (with_datatype(""), NO_TYPE, "inputs[0].datatype"),
    "unknown data type": (with_datatype("FP8"), NO_TYPE, "inputs[0].datatype"),
    "data type of the configuration": (with_datatype("TYPE_FP32"), NO_TYPE, "inputs[0].datatype"),
    "data type in small letters": (with_datatype("fp32"), NO_TYPE, "inputs[0].datatype"),
    "text": (with_datatype("BYTES"), NO_TYPE, "inputs[0].datatype"),
    "FP64 beyond float32": (request("tiny", inputs={"": np.array([[1e39, 0]])}), NO_TYPE, "inputs[0]"),
    # Shapes.
    "no shape": (with_shape(), NO_BYTES, "inputs[0]"),
    "wrong width": (request("tiny", [[1, 2, 3]]), NO_SHAPE, "inputs[0].shape"),
    "rank too low": (request("tiny", 1.0), NO_SHAPE, "inputs[0].shape"),
    "empty batch": (request("tiny", np.zeros((0, 2))), Reason.EMPTY_BATCH, "inputs[0].shape"),
    "negative axis": (with_shape(-1, 2), NO_SHAPE, "inputs[0].shape"),
    "two negative axes": (with_shape(-1, -2), NO_SHAPE, "inputs[0].shape"),
    "product of 2^64 and a little": (with_shape(2**60 + 2, 2**4), NO_BYTES, "inputs[0]"),
    "product of 2^62, in bytes 2^64": (with_shape(2**31, 2**31), NO_BYTES, "inputs[0]"),
    "product that overflows to 2": (with_shape(2**63 - 1, 2**63 - 1, 2), NO_BYTES, "inputs[0]"),
    "nothing, of any length": (with_shape(0, 2**62, 2**62), NO_BYTES, "inputs[0]"),
    "33 axes": (with_shape(*[1] * 32, 2), NO_SHAPE, "inputs[0].shape"),
    "200 000 axes": (with_shape(*[2**62] * 200_000), NO_SHAPE, "inputs[0].shape"),
    # Raw contents.
    "bytes missing": (with_raw(bytes(7)), NO_BYTES, "inputs[0]"),
    "bytes too many": (with_raw(bytes(12)), NO_BYTES, "inputs[0]"),
    "empty raw contents": (with_raw(b""), NO_BYTES, "inputs[0]"),
    "no contents": (with_raw(), NO_BYTES, "inputs[0]"),
    "raw contents too many": (with_raw(bytes(8), bytes(8)), Reason.INVALID_FIELD, "raw_input_contents"),
    "raw contents too few": (
        changed(lambda m: m.inputs.add(name="y", datatype="FP32", shape=[1])),
        Reason.INVALID_FIELD,
        "raw_input_contents",
    ),
    "raw contents without an input": (
        ModelInferRequest(model_name="tiny", raw_input_contents=[bytes(8)]),
        Reason.INVALID_FIELD,
        "raw_input_contents",
    ),
    "raw and typed contents": (
        changed(lambda m: m.inputs[0].contents.fp32_contents.extend([1, 1])),
        Reason.INVALID_FIELD,
        "inputs[0].contents",
    ),
    # Typed contents.
    "typed contents too few": (typed("FP32", [1, 2], fp32_contents=[1]), NO_BYTES, "inputs[0].contents"),
    "typed contents too many": (typed("FP32", [1, 2], fp32_contents=[1] * 3), NO_BYTES, "inputs[0].contents"),
    "typed contents of another type": (typed("FP32", [1, 2], fp64_contents=[1, 1]), NO_TYPE, "inputs[0].contents"),
    "typed contents of two types": (
        typed("FP32", [1, 2], fp32_contents=[1, 1], int_contents=[1]),
        NO_TYPE,
        "inputs[0].contents",
    ),
    "typed FP16": (typed("FP16", [1, 2], fp32_contents=[1, 1]), NO_TYPE, "inputs[0].contents"),
    "typed text": (typed("BYTES", [1, 2], bytes_contents=[b"1", b"1"]), NO_TYPE, "inputs[0].datatype"),
    "no INT8": (
        typed("INT8", [1, 2], int_contents=[0, 128]),
        Reason.INVALID_FIELD,
        "inputs[0].contents.int_contents[1]",
    ),
    "no UINT16": (
        typed("UINT16", [1, 2], uint_contents=[65536, 0]),
        Reason.INVALID_FIELD,
        "inputs[0].contents.uint_contents[0]",
    ),
    # Parameters.
    "priority below 0": (with_parameters(priority=-1), Reason.INVALID_FIELD, "parameters.priority"),
    "priority of letters": (with_parameters(priority="high"), Reason.INVALID_FIELD, "parameters.priority"),
    "timeout below 0": (with_parameters(timeout=-1), Reason.INVALID_FIELD, "parameters.timeout"),
    "timeout in part": (with_parameters(timeout=0.5), Reason.INVALID_FIELD, "parameters.timeout"),
    "a sequence": (with_parameters(sequence_id=7), Reason.FEATURE_UNSUPPORTED, "parameters.sequence_id"),
    "a sequence by name": (with_parameters(sequence_id="a"), Reason.FEATURE_UNSUPPORTED, "parameters.sequence_id"),
    "a sequence's start": (
        with_parameters(sequence_start=True),
        Reason.FEATURE_UNSUPPORTED,
        "parameters.sequence_start",
    ),
    "classification": (
        with_tensor_parameters("outputs", classification=3),
        Reason.FEATURE_UNSUPPORTED,
        "outputs[0].parameters.classification",
    ),
    # Shared memory.
    "unknown region for an input": (
        with_tensor_parameters("inputs", shared_memory_region="r", shared_memory_byte_size=8),
        Reason.INVALID_FIELD,
        "inputs[0].parameters.shared_memory_region",
    ),
    "unknown region for an output": (
        with_tensor_parameters("outputs", shared_memory_region="r", shared_memory_byte_size=8),
        Reason.INVALID_FIELD,
        "outputs[0].parameters.shared_memory_region",
    ),
    "size without a region": (
        with_tensor_parameters("inputs", shared_memory_byte_size=8),
        Reason.INVALID_FIELD,
        "inputs[0].parameters.shared_memory_region",
    ),
    "region without a size": (
        with_tensor_parameters("inputs", shared_memory_region="r"),
        Reason.INVALID_FIELD,
        "inputs[0].parameters.shared_memory_byte_size",
    ),
    "size below 0": (
        with_tensor_parameters("inputs", shared_memory_region="r", shared_memory_byte_size=-8),
        Reason.INVALID_FIELD,
        "inputs[0].parameters.shared_memory_byte_size",
    ),
    "region that is a number": (
        with_tensor_parameters("inputs", shared_memory_region=1, shared_memory_byte_size=8),
        Reason.INVALID_FIELD,
        "inputs[0].parameters.shared_memory_region",
    ),
}


@pytest.fixture(scope="module")
def roomy() -> Any:
    with running_server([tiny_model()]) as server, raw_calls(server.address) as calls:
        yield calls


@pytest.mark.parametrize(("message", "reason", "field"), BAD.values(), ids=BAD.keys())
def test_a_wrong_request_is_refused_with_its_reason_and_field(
    roomy: RawCalls, message: ModelInferRequest, reason: Reason, field: str
) -> None:
    refused = refusal(lambda: roomy.unary(MODEL_INFER, message.SerializeToString()))
    assert (refused.reason, refused.field) == (reason, field)
    assert refused.message.startswith(field)
    assert outputs(model_infer(roomy, request("tiny", [1, 1])))["positive"].tolist() == [2, 2]


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
