"""ModelInfer: every wrong request is refused with its reason and its field in the protocol's words."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numbatch.oip.grpc_inference_service_pb2 import ModelInferRequest
from numbatch.wire.reasons import Reason
from support.oip import MODEL_INFER, model_infer, outputs, request, set_parameter, typed
from support.raw_calls import RawCalls, raw_calls, refusal
from support.server import running_server
from support.tiny import tiny_model


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
