"""What one peer may take up: metadata, calls, connections, and for how long."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import numpy as np
import pytest

from support.manual_compute import ManualCompute
from support.raw_calls import INFER, RawCalls, infer_request, raw_calls, stream_request
from support.server import running_server
from support.tiny import tiny_model


def test_metadata_over_the_limit_is_refused_and_the_connection_goes_on() -> None:
    with running_server([tiny_model()], max_metadata_bytes=2048) as server, raw_calls(server.address) as calls:
        infer = calls.channel.unary_unary(INFER)
        infer(infer_request("tiny", [1, 1]), metadata=[("note", "x" * 1000)], timeout=20)
        with pytest.raises(grpc.RpcError) as refused:
            infer(infer_request("tiny", [1, 1]), metadata=[("note", "x" * 3000)], timeout=20)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert calls.health() == "SERVING"


def test_calls_beyond_the_limit_of_a_connection_wait_in_the_client() -> None:
    compute = ManualCompute()
    with (
        running_server([tiny_model()], compute=compute, max_concurrent_streams=2) as server,
        raw_calls(server.address) as calls,
        raw_calls(server.address) as others,
    ):
        calls.health()  # the client knows the limit once it is connected
        futures = [calls.channel.unary_unary(INFER).future(infer_request("tiny", [n, n]), timeout=20) for n in range(3)]
        jobs = [compute.next_job() for _ in range(2)]
        others.list_models()
        assert compute.waiting == 0
        for job in jobs:
            job.run()
        compute.next_job().run()
        for future in futures:
            future.result()


def test_connections_beyond_the_limit_are_closed_and_there_is_room_again_when_one_ends() -> None:
    with running_server([tiny_model()], max_connections=2) as server, ExitStack() as stack:
        first, second = (stack.enter_context(raw_calls(server.address)) for _ in range(2))
        assert [first.health(), second.health()] == ["SERVING"] * 2
        with raw_calls(server.address) as third, pytest.raises(grpc.RpcError) as refused:
            third.infer("tiny", [1, 1])
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert first.health() == "SERVING"
        second.channel.close()
        with raw_calls(server.address) as third:
            assert waits_until_ready(third)


def test_a_connection_that_is_old_is_ended_gently_and_the_client_connects_anew() -> None:
    with running_server([tiny_model()], max_connection_age_s=1) as server, raw_calls(server.address) as calls:
        went_idle = threading.Event()

        def watch(state: grpc.ChannelConnectivity) -> None:
            if state is grpc.ChannelConnectivity.IDLE and was_ready.is_set():
                went_idle.set()
            if state is grpc.ChannelConnectivity.READY:
                was_ready.set()

        was_ready = threading.Event()
        calls.channel.subscribe(watch)
        assert calls.health() == "SERVING"
        assert went_idle.wait(20), "the server asked the client to go away"
        assert calls.health() == "SERVING"


def waits_until_ready(calls: RawCalls) -> bool:
    request = infer_request("tiny", [1, 1])
    return bool(calls.channel.unary_unary(INFER)(request, timeout=20, wait_for_ready=True))


def test_a_peer_sends_no_more_of_a_stream_than_the_window_while_nothing_of_it_is_read() -> None:
    compute = ManualCompute()
    sent = 0

    def requests() -> Iterator[bytes]:
        nonlocal sent
        while not done.is_set():
            sent += 1
            yield request

    request = stream_request("tiny", np.ones((2**12, 2)))  # 32 KiB
    done = threading.Event()
    with (
        running_server([tiny_model()], compute=compute, stream_window=1, stream_window_bytes=2**18) as server,
        raw_calls(server.address) as calls,
        raw_calls(server.address) as others,
    ):
        answers = calls.stream(requests())
        job = compute.next_job()
        # As many turns of both sides as it takes to send far more, were it not held back.
        for _ in range(200):
            others.list_models()
            calls.list_models()
        assert sent * len(request) < 2**21
        done.set()
        job.run()
        next(answers)
        answers.cancel()


def test_calls_that_wait_for_the_event_loop_are_all_answered() -> None:
    """gRPC's own limit would end some of more than 1000 as if their callers had done so: here, hundreds."""
    goes_on = threading.Event()
    with running_server([tiny_model()]) as server, ExitStack() as stack:
        connections = [stack.enter_context(raw_calls(server.address)) for _ in range(3)]
        for calls in connections:
            calls.health()
        stack.callback(goes_on.set)
        server.loop.call_soon_threadsafe(goes_on.wait)
        request = infer_request("tiny", [1, 1])
        futures = [
            calls.channel.unary_unary(INFER).future(request, timeout=60) for _ in range(700) for calls in connections
        ]
        goes_on.set()
        assert {future.code() for future in futures} == {grpc.StatusCode.OK}
