"""One minibatch, one answer."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.client import Client, InternalError, InvalidArgumentError, MessageTooLargeError, Reason
from numbatch.v1.inference_pb2 import PRIORITY_HIGH, PRIORITY_NORMAL, InferRequest, InferResponse, StreamInferRequest
from numbatch.v1.repository_pb2 import GetModelResponse, LayerSummary, ModelMetadata, TensorSpec
from numbatch.v1.tensor_pb2 import DATA_TYPE_FLOAT32, Tensor
from numbatch.wire.codec import INFER_RESPONSE
from support.both_clients import Bench
from support.fake_server import GET_MODEL, INFER, STREAM_INFER, FakeServer, answer_streamed, fail, infer, metadata


@pytest.mark.parametrize(
    "x",
    [
        [1, 2],  # a single example
        [[1, 2], [3, 4]],
        ((True, False),),
        np.arange(24).reshape(3, 4, 2),
        np.arange(8.0)[::-2].reshape(2, 2),  # another order in memory
        np.arange(4, dtype=">f8").reshape(2, 2),  # big-endian
        np.asfortranarray(np.arange(6, dtype=np.float32).reshape(3, 2)),
    ],
)
def test_anything_like_an_array_goes_in_and_an_array_comes_out(bench: Bench, x: Any) -> None:
    client = bench.client(bench.server())
    answer = client.call("infer", "double", x)
    np.testing.assert_array_equal(answer, 2 * np.asarray(x, dtype=np.float32), strict=True)


def test_an_input_may_be_named(bench: Bench) -> None:
    server = bench.server()
    client = bench.client(server)
    np.testing.assert_array_equal(client.call("infer", "double", {"x": [1, 2]}), [2, 4])
    assert InferRequest.FromString(server.requests[0]).inputs[0].name == "x"


def test_layers_come_by_name_in_the_order_of_the_question(bench: Bench) -> None:
    client = bench.client(bench.server())
    outputs = client.call("infer", "double", [1, 2], layers=["twice", "once"])
    assert [(name, array.tolist()) for name, array in outputs.items()] == [("twice", [2, 4]), ("once", [1, 2])]


def test_no_layers_by_name_are_the_models_outputs_by_name(bench: Bench) -> None:
    client = bench.client(bench.server())
    assert list(client.call("infer", "double", [1, 2], layers=[])) == ["twice"]


def test_outputs_belong_to_the_caller(bench: Bench) -> None:
    client = bench.client(bench.server())
    answer = client.call("infer", "double", [1, 2])
    answer += 1
    assert answer.tolist() == [3, 5]
    assert answer.flags.aligned
    assert answer.flags.owndata


def test_version_and_request_id_reach_the_server(bench: Bench) -> None:
    server = bench.server()
    client = bench.client(server)
    client.call("infer", "double", [1, 2], version=7, request_id="row-12")
    request = InferRequest.FromString(server.requests[0])
    assert (request.model_name, request.model_version, request.request_id) == ("double", 7, "row-12")


def test_requests_without_an_id_get_one_each(bench: Bench) -> None:
    server = bench.server()
    one, other = bench.client(server), bench.client(server)
    for client in (one, one, other):
        client.call("infer", "double", [1, 2])
    ids = [InferRequest.FromString(request).request_id for request in server.requests]
    assert len(set(ids)) == 3
    assert all(ids)


def test_many_threads_share_one_client() -> None:
    with FakeServer() as server, Client(server.address) as client, ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda i: client.infer("double", [i, -i]).tolist(), range(200)))
    assert answers == [[2 * i, -2 * i] for i in range(200)]
    assert len({InferRequest.FromString(request).request_id for request in server.requests}) == 200


WRONG_FOR_ANY_MODEL = [
    ([[1, 2], [3]], None, Reason.DATA_TYPE_MISMATCH, "inputs[0]"),
    (None, None, Reason.DATA_TYPE_MISMATCH, "inputs[0]"),
    (["a", "b"], None, Reason.DATA_TYPE_MISMATCH, "inputs[0]"),
    ([1j], None, Reason.DATA_TYPE_MISMATCH, "inputs[0]"),
    ([1e300], None, Reason.DATA_TYPE_MISMATCH, "inputs[0]"),
    ({"x": [1, 2], "y": "text"}, None, Reason.DATA_TYPE_MISMATCH, "inputs[1]"),
    (1.0, None, Reason.SHAPE_MISMATCH, "inputs[0].shape"),
    (np.empty((0, 2)), None, Reason.EMPTY_BATCH, "inputs[0].shape"),
    ({}, None, Reason.MISSING_INPUT, "inputs"),
    ([1, 2], "twice", Reason.INVALID_FIELD, "layers"),  # a string is a sequence of strings
    ([1, 2], ["once", "once"], Reason.DUPLICATE_LAYER, "layers[1]"),
]


@pytest.mark.parametrize(("x", "layers", "reason", "field"), WRONG_FOR_ANY_MODEL)
def test_what_no_model_takes_is_not_sent(bench: Bench, x: Any, layers: Any, reason: Reason, field: str) -> None:
    server = bench.server()
    with pytest.raises(InvalidArgumentError) as refused:
        bench.client(server).call("infer", "double", x, layers=layers, request_id="r1")
    error = refused.value
    assert (error.reason, error.field, error.model, error.request_id) == (reason, field, "double", "r1")
    assert (bool(error.got), bool(error.expected)) == (True, True)
    assert server.calls == []


TWO_IN_TWO_OUT = ModelMetadata(
    inputs=[TensorSpec(name="a", shape=[2]), TensorSpec(name="b", shape=[3])],
    outputs=[TensorSpec(name="sum"), TensorSpec(name="score")],
    layers=[LayerSummary(name="sum"), LayerSummary(name="score")],
)
A, B = np.ones((4, 2)), np.ones((4, 3))

WRONG_FOR_THE_MODEL = [
    ({"a": A}, ["sum"], Reason.MISSING_INPUT, "inputs: got a, expected a, b"),
    (A, ["sum"], Reason.MISSING_INPUT, "inputs: got one array without a name, expected a mapping with arrays for a, b"),
    ({"a": A, "b": B, "c": A}, ["sum"], Reason.UNKNOWN_INPUT, "inputs[2].name: got 'c', expected a, b"),
    ({"a": B, "b": B}, ["sum"], Reason.SHAPE_MISMATCH, "inputs[0].shape: input 'a': got [4, 3], expected [..., 2]"),
    (
        {"a": A, "b": B[:1]},
        ["sum"],
        Reason.SHAPE_MISMATCH,
        "inputs[1].shape: input 'b': got [1, 3], expected the batch axes of the first input, [4]",
    ),
    (
        {"a": A, "b": B},
        ["sum", "nope"],
        Reason.UNKNOWN_LAYER,
        "layers[1]: got 'nope', expected one of sum, score",
    ),
    (
        {"a": A, "b": B},
        None,
        Reason.INVALID_FIELD,
        "layers: the model has 2 outputs: got none, expected their names; say layers=['sum', 'score']",
    ),
]


@pytest.mark.parametrize(("x", "layers", "reason", "message"), WRONG_FOR_THE_MODEL)
def test_what_a_known_model_does_not_take_is_not_sent(
    bench: Bench, x: Any, layers: Any, reason: Reason, message: str
) -> None:
    server = bench.server({GET_MODEL: lambda *_: GetModelResponse(metadata=TWO_IN_TWO_OUT).SerializeToString()})
    client = bench.client(server)
    client.call("get_metadata", "two")
    with pytest.raises(InvalidArgumentError) as refused:
        client.call("infer", "two", x, layers=layers)
    assert (refused.value.reason, refused.value.message) == (reason, message)
    assert INFER not in server.calls


def test_a_model_that_was_replaced_is_looked_at_again_before_a_request_is_refused(bench: Bench) -> None:
    features = [3, 2]  # first the model takes three features, then two
    described = iter(features)
    server = bench.server(
        {GET_MODEL: lambda *_: GetModelResponse(metadata=metadata(next(described))).SerializeToString()}
    )
    client = bench.client(server)
    client.call("get_metadata", "double")
    assert client.call("infer", "double", [1, 2]).tolist() == [2, 4]
    # Now the client knows the new one.
    assert client.call("infer", "double", [1, 2]).tolist() == [2, 4]
    assert server.calls == [GET_MODEL, GET_MODEL, INFER, INFER]


def test_a_request_over_the_limit_is_not_sent(bench: Bench) -> None:
    server = bench.server()
    client = bench.client(server, max_message_bytes=1000)
    for rows in (200, 125):  # by its arrays alone; by what comes around them
        with pytest.raises(MessageTooLargeError, match="not sent: got 1[0-9]{3} bytes, expected at most 1000 bytes"):
            client.call("infer", "double", np.ones((rows, 2)))
    assert server.calls == []
    assert client.call("infer", "double", np.ones((110, 2))).shape == (110, 2)


def test_an_answer_over_the_limit_says_both_sizes(bench: Bench) -> None:
    client = bench.client(bench.server(), max_message_bytes=1000)
    with pytest.raises(MessageTooLargeError, match=r"limit of the client: got 1[0-9]{3} bytes, expected at most 1000"):
        client.call("infer", "double", np.ones((80, 2)), layers=["once", "twice"])


def test_a_request_over_the_servers_limit_says_both_sizes(bench: Bench) -> None:
    client = bench.client(bench.server(max_message_bytes=1000))
    with pytest.raises(MessageTooLargeError, match=r"limit of the server: got 1[0-9]{3} bytes, expected at most 1000"):
        client.call("infer", "double", np.ones((200, 2)))


def _answer(*names: str, data: bytes = bytes(8), shape: tuple[int, ...] = (2,)) -> bytes:
    tensors = [Tensor(name=name, data_type=DATA_TYPE_FLOAT32, shape=shape, data=data) for name in names]
    return InferResponse(outputs=tensors).SerializeToString()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"\xff\xff", "the server's answer cannot be read: 2 bytes that are no numbatch.v1.InferResponse"),
        (_answer("once", data=b"123"), "the server's answer cannot be read: outputs[0].data"),
        (_answer("once", shape=(-2,)), "the server's answer cannot be read: outputs[0].shape"),
        (_answer("twice"), "outputs: an answer with other layers: got twice, expected once"),
        (_answer(), "outputs: an answer with other layers"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_bug_not_the_callers_mistake(
    bench: Bench, answer: bytes, message: str
) -> None:
    client = bench.client(bench.server({INFER: lambda *_: answer}))
    with pytest.raises(InternalError) as refused:
        client.call("infer", "double", [1, 2], layers=["once"])
    assert refused.value.message.startswith(message)
    assert refused.value.request_id


def test_several_outputs_without_layers_say_which_there_are(bench: Bench) -> None:
    client = bench.client(bench.server({INFER: lambda *_: _answer("sum", "score")}))
    with pytest.raises(InvalidArgumentError, match=r"the model has 2 outputs.*say layers=\['sum', 'score'\]"):
        client.call("infer", "double", [1, 2])


def test_an_answer_without_outputs_is_a_bug(bench: Bench) -> None:
    client = bench.client(bench.server({INFER: lambda *_: INFER_RESPONSE.encode(InferResponse())}))
    with pytest.raises(InternalError, match="an answer without outputs"):
        client.call("infer", "double", [1, 2])


def test_a_repeated_request_keeps_its_id(bench: Bench) -> None:
    away = fail(grpc.StatusCode.UNAVAILABLE)
    methods = iter([away, infer])
    server = bench.server({INFER: lambda request, context: next(methods)(request, context)})
    answer = bench.client(server).call("infer", "double", [1, 2], request_id="r1")
    assert answer.tolist() == [2, 4]
    assert [InferRequest.FromString(request).request_id for request in server.requests] == ["r1", "r1"]


def note_into(received: list[bytes]) -> Any:
    def method(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for request in requests:
            received.append(request)
            yield answer_streamed(request)

    return method


@pytest.mark.parametrize(("priority", "value"), [("normal", PRIORITY_NORMAL), ("high", PRIORITY_HIGH)])
def test_the_priority_reaches_the_server(bench: Bench, priority: str, value: int) -> None:
    streamed = list[bytes]()
    server = bench.server({STREAM_INFER: note_into(streamed)})
    client = bench.client(server)
    client.call("infer", "double", [1, 2], priority=priority)
    client.stream("double", [[1, 2]], priority=priority)
    assert InferRequest.FromString(server.requests[0]).priority == value
    assert StreamInferRequest.FromString(streamed[0]).request.priority == value


@pytest.mark.parametrize("priority", ["urgent", "", "HIGH", None, 2])
def test_a_priority_that_there_is_not_is_refused_at_once(bench: Bench, priority: Any) -> None:
    client = bench.client("127.0.0.1:1")
    with pytest.raises(InvalidArgumentError, match="priority: got .*, expected normal or high") as refused:
        client.call("infer", "double", [1, 2], priority=priority)
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_FIELD, "priority")
    with pytest.raises(InvalidArgumentError, match="priority: got .*, expected normal or high"):
        client.stream("double", [[1, 2]], priority=priority)
