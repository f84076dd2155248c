"""SIGTERM at a bad moment: what was accepted is answered, what comes later may be tried elsewhere, the status is 0."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest

from numbatch.wire.reasons import Reason
from support.processes import serving
from support.raw_calls import INFER, error_of, infer_request, raw_calls, read_answer, read_streamed, stream_request
from support.server import write_model
from support.tiny import tiny_model

# Says when it loads a model, and then takes its time: that until the server begins no other, or all that there is.
SLOW_TO_LOAD = """
from threading import Event
from numbatch.engine import load_model
from numbatch.repository.registry import Registry
from numbatch.serving import server
close, go_on = Registry.close, Event()
def load(*args, **kwargs):
    print("loading", flush=True)
    go_on.wait()
    return load_model(*args, **kwargs)
def close_and_then(registry):
    close(registry)
    {then}
Registry.close = close_and_then
server.Server.__init__.__kwdefaults__["load"] = load
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    write_model(tmp_path, tiny_model())
    return tmp_path


class Caller(threading.Thread):
    """Calls over a connection of its own until it is refused, and keeps how."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self.first_answer = threading.Event()
        self.refused: grpc.StatusCode | None = None

    def run(self) -> None:
        with raw_calls(self._address) as calls:
            infer = calls.channel.unary_unary(INFER)
            number = 0
            try:
                while True:
                    number += 1
                    ((_, output),) = read_answer(infer(infer_request("tiny", [number, 0]), timeout=20))[1]
                    assert output.tolist() == [2 * number, 0]
                    self.first_answer.set()
            except grpc.RpcError as refused:
                self.refused = refused.code()


def test_under_load_every_call_is_answered_or_refused_so_that_it_may_be_tried_elsewhere(repository: Path) -> None:
    with serving(repository) as process:
        callers = [Caller(process.address) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            assert caller.first_answer.wait(20)
        process.popen.terminate()
        for caller in callers:
            caller.join(20)
        status, log = process.end()
        assert [caller.refused for caller in callers] == [grpc.StatusCode.UNAVAILABLE] * 8
        with raw_calls(process.address) as late, pytest.raises(grpc.RpcError) as gone:
            late.infer("tiny", [1, 1])
        assert gone.value.code() is grpc.StatusCode.UNAVAILABLE
    assert status == 0
    assert "Traceback" not in log


def test_during_the_drain_delay_it_serves_as_before_and_says_that_it_is_not_ready(repository: Path) -> None:
    with serving(repository, drain_delay_s=60) as process, raw_calls(process.address) as calls:
        watched = calls.watch("tiny")
        assert next(watched) == "SERVING"
        process.popen.terminate()
        assert next(watched) == "NOT_SERVING"
        assert [calls.health(name) for name in ("", "tiny")] == ["NOT_SERVING"] * 2
        # So do those who come now, as a load balancer may still send them.
        with raw_calls(process.address) as newcomer:
            assert newcomer.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]


def test_after_the_drain_delay_it_drains_and_ends(repository: Path) -> None:
    with serving(repository, drain_delay_s=0.2) as process:
        process.popen.terminate()
        status, log = process.end()
    assert status == 0
    lines = [line.rpartition("numbatch.serving.app: ")[2] for line in log.splitlines()]
    assert lines[-3:] == ["leaving drain_delay_s=0.2", "draining grace_s=30", "stopped"]


def test_a_second_signal_ends_the_drain_delay_and_the_process(repository: Path) -> None:
    with serving(repository, drain_delay_s=60) as process, raw_calls(process.address) as calls:
        watched = calls.watch("")
        assert next(watched) == "SERVING"
        process.popen.terminate()
        assert next(watched) == "NOT_SERVING"
        process.popen.send_signal(signal.SIGINT)
        assert process.end()[0] == 128 + signal.SIGINT


def test_while_models_load_it_finishes_the_one_and_begins_no_other(repository: Path) -> None:
    write_model(repository, tiny_model("another"))
    before = SLOW_TO_LOAD.format(then="go_on.set()")
    with serving(repository, before=before, drain_delay_s=60) as process:
        assert process.address == "loading"
        process.popen.terminate()
        status, log = process.end()
    assert status == 0
    assert log.count("loaded model") == 1


def test_a_model_that_never_comes_to_load_does_not_keep_it_alive(repository: Path) -> None:
    before = SLOW_TO_LOAD.format(then="pass") + "app._LAST_RESORT_S = 0.2"
    with serving(repository, before=before, drain_delay_s=60, shutdown_grace_s=0) as process:
        assert process.address == "loading"
        process.popen.terminate()
        status, log = process.end()
    assert status == 70
    assert "the server did not end in time; its threads were at:" in log


def test_an_open_stream_is_answered_what_was_read_and_told_to_go_elsewhere(repository: Path) -> None:
    with serving(repository) as process, raw_calls(process.address) as calls:
        terminated = threading.Event()

        def requests() -> Iterator[bytes]:
            for number in range(20):
                yield stream_request("tiny", [number, 0], request_id=str(number))
            terminated.wait(20)

        answers = calls.stream(requests())
        assert read_streamed(next(answers))[0] == "0"
        process.popen.terminate()
        ids: list[int] = []
        with pytest.raises(grpc.RpcError) as ended:
            ids.extend(int(read_streamed(data)[0]) for data in answers)
        terminated.set()
        assert error_of(ended.value).reason is Reason.SERVER_DRAINING
        assert ids == list(range(1, len(ids) + 1))
        status, log = process.end()
    assert status == 0
    assert "Traceback" not in log


def test_a_client_that_never_reads_does_not_hold_it_up_beyond_the_grace_period(repository: Path) -> None:
    with serving(repository, shutdown_grace_s=1) as process, raw_calls(process.address) as calls:
        done = threading.Event()

        def requests() -> Iterator[bytes]:
            for _ in range(64):
                yield stream_request("tiny", np.ones((2**17, 2)))
            done.wait(20)

        calls.stream(requests(), timeout=None)
        calls.health()
        process.popen.terminate()
        status, log = process.end()
        done.set()
    assert status == 0
    assert "Traceback" not in log
