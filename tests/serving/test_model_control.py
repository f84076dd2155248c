"""What makes a server load models: its start, the disk, or requests alone."""

import asyncio
import queue
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from numbatch.batching import BatchLimits
from numbatch.engine import load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.repository.settings import BatchingSettings
from numbatch.serving.batch_limits import limits_of
from numbatch.serving.config import ServerConfig
from numbatch.serving.models import Models
from numbatch.v1.model_pb2 import Model
from numbatch.wire.reasons import Code, Reason
from support.manual_compute import ManualCompute
from support.raw_calls import INFER, RawCalls, infer_request, raw_calls, refusal
from support.server import running_server, write_model
from support.tiny import tiny_model

SOON_S = 0.05


def listed(calls: RawCalls) -> list[str]:
    return [f"{status.model_name}/{status.model_version}" for status in calls.list_models().models]


def wait_until(calls: RawCalls, service: str, status: str) -> None:
    """Watch a model or a version until it has a status."""
    assert status in calls.watch(service)


def test_by_default_the_newest_versions_are_loaded_at_the_start(tmp_path: Path) -> None:
    for version in (1, 2):
        write_model(tmp_path, tiny_model(factor=version), version)
    with running_server(repository=tmp_path) as server, raw_calls(server.address) as calls:
        assert listed(calls) == ["tiny/2"]
        assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]


def test_the_server_is_told_another_policy(tmp_path: Path) -> None:
    for version in (1, 2, 3):
        write_model(tmp_path, tiny_model(), version)
    with running_server(repository=tmp_path, version_policy="latest:2") as server, raw_calls(server.address) as calls:
        assert listed(calls) == ["tiny/2", "tiny/3"]


def test_a_server_that_is_told_explicitly_loads_what_it_is_told(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_model(tmp_path, tiny_model(name))
    with running_server(repository=tmp_path, model_control="explicit") as server, raw_calls(server.address) as calls:
        assert (listed(calls), calls.health()) == ([], "SERVING")
        calls.load_model(model_name="b")
        assert listed(calls) == ["b/1"]
    options: dict[str, Any] = {"model_control": "explicit", "load_model": "a,c"}
    with running_server(repository=tmp_path, **options) as server, raw_calls(server.address) as calls:
        assert listed(calls) == ["a/1", "c/1"]
    options["load_model"] = "*"
    with running_server(repository=tmp_path, **options) as server, raw_calls(server.address) as calls:
        assert listed(calls) == ["a/1", "b/1", "c/1"]


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        (
            {"load_model": "tiny"},
            "all models are loaded: load_model is without effect unless model_control is explicit",
        ),
        ({"load_model": "tiny", "model_control": "explicit"}, ""),
        ({"model_repository": None, "model_control": "poll"}, "there is nothing to look at"),
        ({"model_control": "poll"}, ""),
    ],
)
def test_an_option_without_effect_is_pointed_out(
    tmp_path: Path, options: dict[str, Any], warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_model(tmp_path, tiny_model())
    config = ServerConfig(**{"model_repository": tmp_path, **options})
    Models(config, load_model, Handed(), on_change=lambda: None).discover()
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert (len(warnings), warning in "".join(warnings)) == (1 if warning else 0, True)


def test_a_server_that_polls_follows_the_disk(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model(factor=1), 1)
    options: dict[str, Any] = {"model_control": "poll", "poll_interval_s": SOON_S}
    with running_server(repository=tmp_path, **options) as server, raw_calls(server.address) as calls:
        write_model(tmp_path, tiny_model(factor=2), 2)
        wait_until(calls, "tiny/2", "SERVING")
        wait_until(calls, "tiny/1", "SERVICE_UNKNOWN")
        assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
        write_model(tmp_path, tiny_model("other"))
        wait_until(calls, "other", "SERVING")
        shutil.rmtree(tmp_path / "tiny")
        wait_until(calls, "tiny", "SERVICE_UNKNOWN")
        assert listed(calls) == ["other/1"]


class Handed(Executor):
    """Hands each job to the test instead of running it."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[tuple[Callable[[], Any], Future[Any]]] = queue.Queue()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self._jobs.put((lambda: fn(*args, **kwargs), future))
        return future

    async def next(self) -> tuple[Callable[[], Any], Future[Any]]:
        return await asyncio.to_thread(self._jobs.get, timeout=10)


def test_a_bug_while_looking_does_not_end_the_looking(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = ServerConfig(model_repository=tmp_path, model_control="poll", poll_interval_s=SOON_S)
    handed = Handed()

    async def follow() -> None:
        models = Models(config, load_model, handed, on_change=lambda: None)
        models.discover()
        loading = asyncio.create_task(models.load())
        job, future = await handed.next()
        future.set_result(job())
        await loading
        _, future = await handed.next()
        future.set_exception(ZeroDivisionError())
        job, future = await handed.next()
        future.set_result(job())
        await models.stop()

    asyncio.run(follow())
    assert "looking at the model repository failed unexpectedly" in caplog.text


def test_the_limits_of_a_batch_are_those_of_the_settings_where_they_say_something(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    settings = tmp_path / "tiny/settings.txtpb"
    settings.write_text("batching { max_batch_size: 2 max_queue_delay_us: 250 }")
    compute = ManualCompute()
    with running_server(repository=tmp_path, compute=compute, max_queued_rows=100, max_batch_size=7) as server:
        with raw_calls(server.address) as calls:

            def limits() -> tuple[int, float, int]:
                answer = calls.channel.unary_unary(INFER).future(infer_request("tiny", [1, 1]), timeout=10)
                job = compute.next_job()
                job.run()
                answer.result()
                return job.request.group.limits[:3]

            assert limits() == (2, 250e-6, 100)
            settings.unlink()
            calls.load_model(model_name="tiny")
            assert limits() == (7, 0.0, 100)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (BatchingSettings(), BatchLimits(8, 0.5, 100, 1000, 10)),
        (BatchingSettings(max_batch_size=3), BatchLimits(3, 0.5, 100, 1000, 10)),
        (BatchingSettings(2, 0, 3, 4, 5), BatchLimits(2, 0.0, 3, 4, 5)),
        (BatchingSettings(max_queue_delay_us=1500), BatchLimits(8, 0.0015, 100, 1000, 10)),
    ],
)
def test_what_the_settings_do_not_say_is_as_the_server_was_told(
    settings: BatchingSettings, expected: BatchLimits
) -> None:
    told = ServerConfig(
        max_batch_size=8, max_queue_delay_us=500_000, max_queued_rows=100, max_queued_bytes=1000, max_in_flight=10
    )
    assert limits_of(told, settings) == expected


def test_a_model_beyond_the_memory_limit_is_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    write_model(tmp_path, Sequential([Input((2000,)), Dense(3000)], seed=1).to_message("large"))
    with running_server(repository=tmp_path, max_model_memory_bytes=30 * 2**20) as server:
        with raw_calls(server.address) as calls:
            refused = refusal(lambda: calls.load_model(model_name="large"))
            assert (refused.reason, refused.code) == (Reason.MEMORY_LIMIT, Code.RESOURCE_EXHAUSTED)
            assert refused.model == "large"
            assert (calls.health("large"), calls.health("tiny"), calls.health()) == (
                "NOT_SERVING",
                "SERVING",
                "SERVING",
            )


def test_retries_end_when_the_server_does(tmp_path: Path) -> None:
    # It would take a day, were it waited for.
    (tmp_path / "late/1").mkdir(parents=True)
    options: dict[str, Any] = {"load_retries": 24, "load_retry_delay_s": 3600.0}
    with running_server(repository=tmp_path, loaded=False, **options) as server, raw_calls(server.address) as calls:
        loading = server.start(server.server.load_models())
        wait_until(calls, "late", "NOT_SERVING")
        server.run(server.server.stop(0))
        loading.result(10)


def test_a_warm_up_that_the_settings_ask_for_comes_before_ready(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    (tmp_path / "tiny/settings.txtpb").write_text("warm_up { batch_sizes: [1, 1000] }")
    with running_server(repository=tmp_path) as server, raw_calls(server.address) as calls:
        assert calls.health("tiny") == "SERVING"


def test_broken_settings_are_listed_by_the_server(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    (tmp_path / "tiny/settings.txtpb").write_text("\n\nbatching { rows: 1 }")
    write_model(tmp_path, Model(name="bad"))
    with running_server(repository=tmp_path) as server, raw_calls(server.address) as calls:
        statuses = {status.model_name: status.reason for status in calls.list_models().models}
        assert statuses["tiny"].startswith("MODEL_INVALID: tiny/settings.txtpb:3: ")
        assert 'no field named "rows"' in statuses["tiny"]
