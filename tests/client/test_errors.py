"""What goes wrong in a call, as exceptions that say what to do."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from numbatch.client import (
    AccessDeniedError,
    Client,
    CorruptModelError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    NumbatchError,
    OverloadedError,
    Reason,
    RequestCancelledError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedError,
)
from numbatch.v1.repository_pb2 import LoadModelResponse
from numbatch.wire.errors import error
from support.both_clients import Bench
from support.fake_server import (
    CHECK_HEALTH,
    GET_MODEL,
    INFER,
    LIST_MODELS,
    LOAD_MODEL,
    UNLOAD_MODEL,
    FakeServer,
    fail,
    refuse,
    silence,
)

REASONS = [reason for reason in Reason if reason is not Reason.UNSPECIFIED]


@pytest.mark.parametrize("reason", REASONS)
def test_the_servers_error_is_raised_again_with_all_that_it_said(bench: Bench, reason: Reason) -> None:
    failure = error(reason, "as planned", field="here", got="this", expected="that")
    with pytest.raises(type(failure)) as raised:
        bench.client(bench.server({INFER: refuse(failure)})).call(
            "infer", "double", [[1, 2]], version=3, request_id="r"
        )
    known = raised.value
    assert (known.reason, known.message, known.field, known.got, known.expected) == (
        reason,
        failure.message,
        "here",
        "this",
        "that",
    )
    assert (known.model, known.version, known.request_id) == ("double", 3, "r")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, InvalidArgumentError),
        (grpc.StatusCode.NOT_FOUND, NotFoundError),
        (grpc.StatusCode.FAILED_PRECONDITION, CorruptModelError),
        (grpc.StatusCode.UNIMPLEMENTED, UnsupportedError),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, OverloadedError),
        (grpc.StatusCode.PERMISSION_DENIED, AccessDeniedError),
        (grpc.StatusCode.UNAUTHENTICATED, UnauthenticatedError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceededError),
        (grpc.StatusCode.CANCELLED, RequestCancelledError),
        (grpc.StatusCode.INTERNAL, InternalError),
        (grpc.StatusCode.DATA_LOSS, NumbatchError),
    ],
)
def test_an_error_without_details_has_the_class_of_its_code(
    bench: Bench, code: grpc.StatusCode, kind: type[NumbatchError]
) -> None:
    with pytest.raises(NumbatchError) as raised:
        bench.client(bench.server({INFER: fail(code, "from a proxy")})).call("infer", "double", [[1, 2]])
    assert type(raised.value) is kind
    assert raised.value.request_id


def test_no_server_is_told_with_its_address_and_what_to_check(bench: Bench) -> None:
    with socket.socket() as bound:  # bound, never listening: nobody else can take the port
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(UnavailableError, match=f"no connection to {address}.*check that a server runs") as raised:
            bench.client(address, timeout=2).call("infer", "double", [[1, 2]])
        assert raised.value.reason is Reason.SERVER_UNREACHABLE
        assert bench.client(address, timeout=2).call("is_ready") is False


def test_a_silent_server_is_given_up_after_the_timeout(bench: Bench) -> None:
    server = bench.server({INFER: silence})
    with pytest.raises(DeadlineExceededError, match=rf"no answer from {server.address} within 0.2 s") as raised:
        bench.client(server).call("infer", "double", [[1, 2]], timeout=0.2)
    assert raised.value.reason is Reason.DEADLINE_EXCEEDED


def test_the_clients_timeout_holds_where_a_call_names_none(bench: Bench) -> None:
    with pytest.raises(DeadlineExceededError, match=r"within 0.2 s"):
        bench.client(bench.server({INFER: silence}), timeout=0.2).call("infer", "double", [[1, 2]])


@pytest.mark.parametrize(
    ("path", "method", "arguments"),
    [
        (INFER, "infer", ("double", [[1, 2]])),
        (LIST_MODELS, "list_models", ()),
        (GET_MODEL, "get_metadata", ("double",)),
        (GET_MODEL, "get_model", ("double",)),
        (LOAD_MODEL, "load_model", ("double",)),
        (UNLOAD_MODEL, "unload_model", ("double",)),
    ],
)
def test_every_call_takes_a_timeout_of_its_own(
    bench: Bench, path: str, method: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(DeadlineExceededError, match=r"within 0.1 s"):
        bench.client(bench.server({path: silence})).call(method, *arguments, timeout=0.1)
    with pytest.raises(InvalidArgumentError, match="timeout: got 0"):
        bench.client("127.0.0.1:1").call(method, *arguments, timeout=0)


def test_a_silent_server_is_not_ready_after_the_timeout_of_the_question(bench: Bench) -> None:
    assert bench.client(bench.server({CHECK_HEALTH: silence})).call("is_ready", timeout=0.1) is False


def test_loading_a_model_may_take_longer_than_other_calls(bench: Bench) -> None:
    def load(_: bytes, context: Any) -> bytes:
        seconds.append(context.time_remaining())
        return LoadModelResponse().SerializeToString()

    seconds = list[float]()
    server = bench.server({LOAD_MODEL: load})
    bench.client(server, timeout=5).call("load_model", "large")
    bench.client(server, timeout=1000).call("load_model", "large")
    assert seconds == pytest.approx([600, 1000], rel=0.05)  # gRPC rounds them on their way


def test_health_of_the_server_and_of_a_model(bench: Bench) -> None:
    client = bench.client(bench.server())
    assert client.call("is_ready") is True
    assert client.call("is_ready", "double") is True
    with pytest.raises(NotFoundError):
        client.call("is_ready", "triple")


def test_waiting_for_a_server_that_does_not_become_ready_ends(bench: Bench) -> None:
    server = bench.server({CHECK_HEALTH: lambda request, context: b"\x08\x02"})  # NOT_SERVING
    with pytest.raises(DeadlineExceededError, match="was not ready within 0.2 s"):
        bench.client(server).call("wait_ready", timeout=0.2)


def test_waiting_for_a_server_that_cannot_be_reached_ends_with_why(bench: Bench) -> None:
    with pytest.raises(DeadlineExceededError, match=r"127.0.0.1:1 was not ready within 0.2 s: .*refused; check that"):
        bench.client("127.0.0.1:1").call("wait_ready", timeout=0.2)
    with pytest.raises(DeadlineExceededError, match=r"no connection to \S+ within 0.2 s \(DEADLINE"):
        bench.client(bench.server({CHECK_HEALTH: silence})).call("wait_ready", timeout=0.2)


def test_waiting_for_a_server_that_is_started_meanwhile_ends_when_it_is_ready(bench: Bench) -> None:
    gone = bench.server()
    gone.stop()
    client = bench.client(gone)
    assert client.call("is_ready") is False
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(client.call, "wait_ready", timeout=20)
        bench.server(address=gone.address)
        waiting.result(20)


def test_a_closed_client_says_so(bench: Bench) -> None:
    client = bench.client(bench.server())
    client.call("close")
    with pytest.raises(RuntimeError, match="this client is closed"):
        client.call("infer", "double", [[1, 2]])


@pytest.mark.parametrize(
    "call",
    [lambda client: client.infer("double", [[1, 2]]), lambda client: next(client.stream("double", [[1, 2]]))],
    ids=["infer", "stream"],
)
def test_a_client_that_another_thread_closes_just_before_a_call_says_so_too(call: Callable[[Client], Any]) -> None:
    def close() -> str:  # between the look whether the client is open and the call
        client.close()
        return "t0ken"

    with FakeServer() as server:
        client = Client(server.address, token=close)
        with pytest.raises(RequestCancelledError, match="the client was closed"):
            call(client)
    assert server.calls == []
