"""Bytes that are no request, or hardly one: refused as the caller's mistake, one by one."""

from collections.abc import Iterator

import grpc
import numpy as np
import pytest

from numbatch.v1.inference_pb2 import InferRequest, StreamInferRequest
from numbatch.wire.codec import INFER_REQUEST, STREAM_INFER_REQUEST
from numbatch.wire.errors import NumbatchError
from numbatch.wire.reasons import Code
from support.aftermath import unharmed_server
from support.mutations import mutated
from support.raw_calls import INFER, RawCalls, error_of, raw_calls, read_streamed
from support.server import RunningServer, running_server
from support.tiny import tiny_model

COUNT = 3000
IN_FLIGHT = 64

# The model's name is part of what is damaged.
THE_CALLERS = {Code.INVALID_ARGUMENT, Code.NOT_FOUND}

# Small ones are left to protobuf, large ones are read by the codec.
ARRAYS = [np.ones((1, 2), np.float32), np.ones((2200, 2), np.float32)]
REQUEST = InferRequest(model_name="tiny", request_id="r", layers=["scaled"], model_version=1)


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model()], http_listen="127.0.0.1:0") as running:
        yield running


@pytest.fixture
def calls(server: RunningServer) -> Iterator[RawCalls]:
    with unharmed_server(server), raw_calls(server.address) as calls:
        yield calls


def test_damaged_requests_are_refused_as_the_callers_mistake(calls: RawCalls) -> None:
    messages = [INFER_REQUEST.encode(REQUEST, [("input", array)]) for array in ARRAYS]
    infer = calls.channel.unary_unary(INFER)
    outcomes: list[Code | None] = []
    running = []
    for data in mutated(messages, COUNT, seed=1):
        running.append(infer.future(data, timeout=30))
        if len(running) == IN_FLIGHT:
            outcomes += [_outcome(call) for call in running]
            running.clear()
    outcomes += [_outcome(call) for call in running]
    assert set(outcomes) == {None, *THE_CALLERS}
    assert outcomes.count(Code.INVALID_ARGUMENT) > COUNT / 4


def test_damaged_requests_on_a_stream_are_refused_in_their_place_and_the_stream_goes_on(calls: RawCalls) -> None:
    request = StreamInferRequest(request=REQUEST)
    messages = [STREAM_INFER_REQUEST.encode(request, [("input", array)]) for array in ARRAYS]
    whole = messages[0]
    answers = [read_streamed(data)[1] for data in calls.stream([*mutated(messages, COUNT, seed=2), whole], timeout=50)]
    assert len(answers) == COUNT + 1
    refused = [answer for answer in answers if isinstance(answer, NumbatchError)]
    assert {answer.code for answer in refused} == THE_CALLERS
    assert isinstance(answers[-1], np.ndarray)


def _outcome(call: grpc.Future) -> Code | None:
    failure = call.exception()
    return None if failure is None else Code(error_of(failure).code)
