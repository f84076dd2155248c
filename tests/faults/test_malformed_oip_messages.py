"""Bytes that are no request of the Open Inference Protocol, or hardly one: refused as the caller's mistake."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from numbatch.oip.grpc_inference_service_pb2 import InferTensorContents, ModelInferRequest, ModelStreamInferResponse
from numbatch.wire.reasons import Code
from support.aftermath import unharmed_server
from support.mutations import mutated
from support.oip import MODEL_INFER, MODEL_STREAM_INFER, request, set_parameter
from support.raw_calls import RawCalls, error_of, raw_calls
from support.server import RunningServer, running_server
from support.tiny import tiny_model

COUNT = 3000
IN_FLIGHT = 64

# The names are part of what is damaged, of parameters too: those of sequences are known, and not served.
THE_CALLERS = {Code.INVALID_ARGUMENT, Code.NOT_FOUND}
OF_STREAMS = ("[MALFORMED", "[INVALID", "[UNKNOWN", "[MISSING", "[DUPLICATE", "[DATA_TYPE", "[SHAPE", "[BYTE", "[EMPTY")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model()], http_listen="127.0.0.1:0") as running:
        yield running


@pytest.fixture
def calls(server: RunningServer) -> Iterator[RawCalls]:
    with unharmed_server(server), raw_calls(server.address) as calls:
        yield calls


def messages() -> list[bytes]:
    """Small ones are left to protobuf, large ones are read by the codec; raw, typed and in shared memory."""
    small = request("tiny", [[1, 1]], outputs=["scaled"], version="1", id="r", priority=1)
    large = request("tiny", np.ones((8000, 2)), outputs=["scaled"])
    typed = ModelInferRequest(model_name="tiny")
    contents = InferTensorContents(int64_contents=[1, 300])
    typed.inputs.add(name="input", datatype="INT64", shape=[1, 2], contents=contents)
    placed = ModelInferRequest(model_name="tiny")
    tensor = placed.inputs.add(name="input", datatype="FP32", shape=[1, 2])
    set_parameter(tensor.parameters, "shared_memory_region", "r")
    set_parameter(tensor.parameters, "shared_memory_byte_size", 8)
    return [message.SerializeToString() for message in (small, large, typed, placed)]


def test_damaged_requests_are_refused_as_the_callers_mistake(calls: RawCalls) -> None:
    infer = calls.channel.unary_unary(MODEL_INFER)
    outcomes: list[Code | None] = []
    running = []
    for data in mutated(messages(), COUNT, seed=1):
        running.append(infer.future(data, timeout=30))
        if len(running) == IN_FLIGHT:
            outcomes += [_outcome(call) for call in running]
            running.clear()
    outcomes += [_outcome(call) for call in running]
    assert set(outcomes) == {None, *THE_CALLERS}
    assert outcomes.count(Code.INVALID_ARGUMENT) > COUNT / 4


def test_damaged_requests_on_a_stream_are_refused_in_their_place_and_the_stream_goes_on(calls: RawCalls) -> None:
    sent = [*mutated(messages(), COUNT, seed=2), request("tiny", [1, 1]).SerializeToString()]
    method = calls.channel.stream_stream(MODEL_STREAM_INFER)
    answers = [ModelStreamInferResponse.FromString(data) for data in method(iter(sent), timeout=50)]
    assert len(answers) == COUNT + 1
    refused = [answer.error_message for answer in answers if answer.error_message]
    assert [text for text in refused if not text.startswith((*OF_STREAMS, "[MODEL_NOT", "[VERSION_NOT"))] == []
    assert len(refused) > COUNT / 4
    assert answers[-1].infer_response.outputs


def _outcome(call: grpc.Future) -> Code | None:
    failure = call.exception()
    return None if failure is None else Code(error_of(failure).code)
