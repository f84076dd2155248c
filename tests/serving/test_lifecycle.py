"""How a server starts, what it does meanwhile, and how it ends."""

import threading
from pathlib import Path

import grpc
import pytest

from numbatch.engine import LoadedModel, load_model
from numbatch.v1.model_pb2 import Model
from numbatch.v1.repository_pb2 import LoadModelRequest
from numbatch.wire.reasons import Code, Reason
from support.manual_compute import ManualCompute
from support.raw_calls import INFER, RawCalls, infer_request, raw_calls, read_answer, refusal
from support.server import running_server
from support.tiny import tiny_model


def start_infer(calls: RawCalls, number: int) -> grpc.Future:
    return calls.channel.unary_unary(INFER).future(infer_request("tiny", [number, number]), timeout=20)


def test_a_missing_repository_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    with (
        pytest.raises(FileNotFoundError, match=f"model repository '{missing}': no such folder"),
        running_server(repository=missing),
    ):
        pytest.fail("started")


def test_an_empty_repository_serves_nothing_and_models_can_be_loaded() -> None:
    with running_server() as server, raw_calls(server.address) as calls:
        assert server.server.info.models == ()
        calls.load_model(model=tiny_model())
        assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]


def test_requests_are_answered_while_a_model_is_loaded() -> None:
    go_on = threading.Event()

    def load(source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        assert name == "tiny" or go_on.wait(20)
        return load_model(source, name=name)

    with running_server([tiny_model()], load=load) as server, raw_calls(server.address) as calls:
        request = LoadModelRequest(model=tiny_model("slow")).SerializeToString()
        path = "/numbatch.v1.ModelRepositoryService/LoadModel"
        loading = calls.channel.unary_unary(path).future(request, timeout=20)
        for number in range(20):
            assert calls.infer("tiny", [number, number])[0][1].tolist() == [2 * number] * 2
        assert not loading.done()
        go_on.set()
        loading.result()
        assert calls.infer("slow", [1, 1])[0][1].tolist() == [2, 2]


def test_what_is_in_progress_is_finished_before_the_end_and_what_is_new_is_refused() -> None:
    compute = ManualCompute()
    with (
        running_server([tiny_model()], compute=compute, shutdown_grace_s=20.0) as server,
        raw_calls(server.address) as calls,
        raw_calls(server.address) as newcomers,
    ):
        watched = calls.watch("")
        assert next(watched) == "SERVING"
        answer = start_infer(calls, 3)
        job = compute.next_job()
        stopping = server.start(server.server.stop())
        assert next(watched) == "NOT_SERVING"
        for refused in (refusal(lambda: newcomers.infer("tiny", [1, 1])), refusal(calls.list_models)):
            assert (refused.reason, refused.code) == (Reason.SERVER_DRAINING, Code.UNAVAILABLE)
        assert [newcomers.health(name) for name in ("", "tiny")] == ["NOT_SERVING"] * 2
        assert not stopping.done()
        job.run()
        assert read_answer(answer.result())[1][0][1].tolist() == [6, 6]
        stopping.result(10)
        with pytest.raises(grpc.RpcError) as gone:
            newcomers.health()
        assert gone.value.code() is grpc.StatusCode.UNAVAILABLE


def test_what_is_not_finished_in_time_is_cancelled() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        answer = start_infer(calls, 3)
        job = compute.next_job()
        server.run(server.server.stop(0.05))
        assert answer.exception().code() is grpc.StatusCode.UNAVAILABLE
        assert not job.run()


def test_idle_streams_do_not_hold_up_the_end() -> None:
    with running_server([tiny_model()]) as server, raw_calls(server.address) as calls:
        ended = threading.Event()

        def no_requests() -> object:
            ended.wait(20)
            return
            yield

        paths = [
            "/numbatch.v1.InferenceService/StreamInfer",
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        ]
        streams = [calls.channel.stream_stream(path)(no_requests(), timeout=20) for path in paths]
        watched = calls.watch("")
        assert next(watched) == "SERVING"
        server.start(server.server.stop(60)).result(30)
        for stream in streams:
            assert stream.code() is grpc.StatusCode.UNAVAILABLE
        ended.set()


def test_stopping_at_the_same_time_and_again_is_stopping_once() -> None:
    with running_server([tiny_model()]) as server, raw_calls(server.address) as calls:
        calls.health()
        for stopping in [server.start(server.server.stop()) for _ in range(3)]:
            stopping.result(10)
        server.run(server.server.stop())
