"""One minibatch, one answer."""

from typing import Any

import numpy as np
import pytest

from numbatch.client import InvalidArgumentError, MessageTooLargeError, Reason
from numbatch.v1.inference_pb2 import InferRequest
from support.fake_server import GET_MODEL, INFER, infer


@pytest.mark.parametrize(
    "x",
    [
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        np.array([[1, 2], [3, 4]], np.int64),
        np.array([[1, 2], [3, 4]], np.float64),
        np.array([[1, 3], [2, 4]], ">f4").T,
        {"x": [[1, 2], [3, 4]]},
    ],
    ids=["lists", "tuples", "integers", "float64", "big-endian, transposed", "by name"],
)
def test_anything_like_an_array_is_taken(bench: Any, x: Any) -> None:
    answer = bench.client(bench.server()).call("infer", "double", x)
    assert isinstance(answer, np.ndarray)
    assert answer.dtype == np.float32
    assert answer.tolist() == [[2, 4], [6, 8]]


def test_layers_come_back_by_name_in_the_order_asked_for(bench: Any) -> None:
    answers = bench.client(bench.server()).call("infer", "double", [[1, 2]], layers=["twice", "once"])
    assert [(name, array.tolist()) for name, array in answers.items()] == [("twice", [[2, 4]]), ("once", [[1, 2]])]


def test_the_arrays_are_the_callers_own(bench: Any) -> None:
    answer = bench.client(bench.server()).call("infer", "double", [[1, 2]])
    answer += 1
    assert answer.tolist() == [[3, 5]]


def test_every_request_has_an_id_given_or_made(bench: Any) -> None:
    server = bench.server()
    client = bench.client(server)
    for request_id in ("mine", "", ""):
        client.call("infer", "double", [[1, 2]], request_id=request_id)
    given, *made = (InferRequest.FromString(request).request_id for request in server.requests)
    assert given == "mine"
    assert all(made)
    assert made[0] != made[1]


def test_a_wrong_shape_is_refused_before_it_is_sent_once_the_model_is_known(bench: Any) -> None:
    server = bench.server()
    client = bench.client(server)
    client.call("get_metadata", "double")
    with pytest.raises(InvalidArgumentError) as refused:
        client.call("infer", "double", [[1, 2, 3]])
    assert (refused.value.reason, refused.value.model) == (Reason.SHAPE_MISMATCH, "double")
    assert "got [1, 3], expected [..., 2]" in str(refused.value)
    assert server.calls == [GET_MODEL, GET_MODEL]  # asked again, for it may have been replaced; never sent


@pytest.mark.parametrize("x", [[["a"]], [[1], [2, 3]], [[1j]], [[1e300]], None])
def test_what_is_no_array_of_numbers_is_refused(bench: Any, x: Any) -> None:
    server = bench.server()
    with pytest.raises(InvalidArgumentError) as refused:
        bench.client(server).call("infer", "double", x)
    assert refused.value.reason is Reason.DATA_TYPE_MISMATCH
    assert server.calls == []


def test_a_message_over_the_limit_is_refused_before_it_is_sent(bench: Any) -> None:
    server = bench.server()
    with pytest.raises(MessageTooLargeError, match=r"at most 1000 bytes") as refused:
        bench.client(server, max_message_bytes=1000).call("infer", "double", np.zeros((1000, 2)))
    assert refused.value.reason is Reason.MESSAGE_TOO_LARGE
    assert server.calls == []


def test_a_message_over_the_limit_of_the_server_is_explained(bench: Any) -> None:
    server = bench.server(max_message_bytes=1000)
    with pytest.raises(MessageTooLargeError, match=r"limit of the server: got \d+ bytes, expected at most 1000 bytes"):
        bench.client(server).call("infer", "double", np.zeros((1000, 2)))


def test_an_answer_over_the_limit_of_the_client_is_explained(bench: Any) -> None:
    def large(request: bytes, context: Any) -> bytes:
        return infer(request, context) + bytes.fromhex("1a e8 07") + b"r" * 1000  # a request id of 1000 characters

    with pytest.raises(
        MessageTooLargeError, match=r"limit of the client: got 10\d\d bytes, expected at most 500 bytes"
    ):
        bench.client(bench.server({INFER: large}), max_message_bytes=500).call("infer", "double", [[1, 2]])
