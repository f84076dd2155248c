"""Peers that do not read their answers: their streams end, what they held is freed, and nobody else notices."""

import gc
import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.serving.rpc.stall import WatchedWriter
from numbatch.wire.reasons import Code, Reason
from support.logs import logged
from support.manual_compute import Job, ManualCompute
from support.raw_calls import RawCalls, error_of, raw_calls, read_streamed, stream_request
from support.server import running_server
from support.tiny import tiny_model

STALL = "numbatch.serving.rpc.stall"
# Larger than what gRPC's client takes in for a stream that nobody reads.
ROWS = 2**17
QUEUES: dict[str, Any] = {"max_queued_rows": 2**24}


class Silent:
    """A stream of large requests whose answers are not read until the test says so."""

    def __init__(self, calls: RawCalls) -> None:
        self._end = threading.Event()
        self.answers: Any = calls.stream(self._requests(), timeout=None)

    def _requests(self) -> Iterator[bytes]:
        for _ in range(64):
            yield stream_request("tiny", np.ones((ROWS, 2)))
        self._end.wait(20)

    def read_to_the_end(self) -> tuple[int, Any]:
        """Return how many answers there were, and the error after them."""
        self._end.set()
        read = 0
        with pytest.raises(grpc.RpcError) as ended:
            for data in self.answers:
                assert not isinstance(read_streamed(data)[1], Exception)
                read += 1
        return read, ended.value


def calls_in_memory() -> int:
    return sum(type(found).__name__ == "RPCState" for found in gc.get_objects())


def test_a_peer_that_reads_on_in_time_is_told_why_its_stream_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedWriter, "_drop", lambda _: None)  # it is in time, however slow this machine is
    with running_server([tiny_model()], **QUEUES, stream_stall_s=1) as server, raw_calls(server.address) as calls:
        with logged(STALL) as log:
            silent = Silent(calls)
            log.wait("a peer does not read its answers stall_s=1")
        read, ended = silent.read_to_the_end()
        refused = error_of(ended)
        assert (refused.reason, refused.code) == (Reason.STREAM_STALLED, Code.RESOURCE_EXHAUSTED)
        assert 0 < read < 64


def test_streams_that_are_dropped_leave_nothing_in_memory_and_harm_no_other() -> None:
    with running_server([tiny_model()], **QUEUES, stream_stall_s=0.2) as server, raw_calls(server.address) as calls:
        # gRPC's server refers to its first call, and to its newest one.
        calls.health()
        before = calls_in_memory()
        gc.disable()  # what is freed is freed at once, not when the collector finds time
        try:
            with logged(STALL) as log:
                silent = [Silent(calls) for _ in range(10)]
                for _ in silent:
                    log.wait("dropped a stream whose peer did not read its answers stall_s=0.2")
            answers = list(calls.stream(stream_request("tiny", [n, n]) for n in range(20)))
            assert len(answers) == 20
            # Calls that have just ended may take some more turns of the loop to go.
            until = time.monotonic() + 10
            while calls_in_memory() > before + 1 and time.monotonic() < until:
                assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
            assert calls_in_memory() <= before + 1
        finally:
            gc.enable()
        assert [stream.read_to_the_end()[1].code() for stream in silent] == [grpc.StatusCode.CANCELLED] * len(silent)


def test_requests_of_a_stalled_stream_that_have_not_run_never_do() -> None:
    compute = ManualCompute()
    newest: queue.Queue[Job] = queue.Queue()

    def run_all_but_the_newest() -> None:
        held = compute.next_job()
        newest.put(held)
        while (job := compute.next_job()).request.rows == ROWS:
            held.run()
            held = job
            newest.put(held)
        job.run()

    with running_server([tiny_model()], compute=compute, **QUEUES, stream_stall_s=0.2) as server:
        with raw_calls(server.address) as calls, logged(STALL) as log:
            running = threading.Thread(target=run_all_but_the_newest)
            running.start()
            silent = Silent(calls)
            log.wait("a peer does not read its answers")
            calls.infer("tiny", [1, 1])
            running.join()
            # What was read of the stream came before this call.
            while newest.qsize() > 1:
                newest.get()
            newest.get().wait_cancelled()
            silent.answers.cancel()


def test_a_peer_that_reads_slowly_is_left_alone() -> None:
    with running_server([tiny_model()], **QUEUES, stream_stall_s=20) as server, raw_calls(server.address) as calls:
        answers = calls.stream(stream_request("tiny", np.ones((ROWS, 2))) for _ in range(12))
        for number, data in enumerate(answers):
            answer = read_streamed(data)[1]
            assert isinstance(answer, np.ndarray), number
            calls.list_models()


def test_the_server_ends_though_a_peer_never_reads() -> None:
    with running_server([tiny_model()], **QUEUES, stream_stall_s=0.2) as server, raw_calls(server.address) as calls:
        with logged(STALL) as log:
            Silent(calls)
            log.wait("a peer does not read its answers")
        server.start(server.server.stop(60)).result(30)
