"""What the protocol tells of a server and its models, and how it loads and unloads them."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from numbatch.oip import grpc_inference_service_pb2 as oip
from numbatch.wire.reasons import Code, Reason
from support.manual_compute import ManualCompute
from support.oip import MODEL_INFER, SERVICE, ask, model_infer, outputs, request, stream
from support.raw_calls import RawCalls, raw_calls, refusal
from support.server import RunningServer, running_server, write_model
from support.tiny import tiny_model
from support.towers import tower


@pytest.fixture
def own() -> Iterator[tuple[RunningServer, RawCalls]]:
    with running_server([tiny_model()]) as server, raw_calls(server.address) as calls:
        yield server, calls


def document(message: Any) -> Any:
    return MessageToDict(message, preserving_proto_field_name=True)


def model_ready(calls: RawCalls, name: str, number: str = "") -> bool:
    question = oip.ModelReadyRequest(name=name, version=number)
    return ask(calls, "ModelReady", question, oip.ModelReadyResponse).ready


def test_the_server_is_live_and_ready(calls: RawCalls) -> None:
    assert ask(calls, "ServerLive", oip.ServerLiveRequest(), oip.ServerLiveResponse).live
    assert ask(calls, "ServerReady", oip.ServerReadyRequest(), oip.ServerReadyResponse).ready


def test_a_server_that_loads_its_models_is_live_and_not_ready() -> None:
    with running_server([tiny_model()], loaded=False) as server, raw_calls(server.address) as calls:
        assert ask(calls, "ServerLive", oip.ServerLiveRequest(), oip.ServerLiveResponse).live
        assert not ask(calls, "ServerReady", oip.ServerReadyRequest(), oip.ServerReadyResponse).ready
        assert not model_ready(calls, "tiny")
        index = ask(calls, "RepositoryIndex", oip.RepositoryIndexRequest(), oip.RepositoryIndexResponse)
        assert document(index) == {"models": [{"name": "tiny", "version": "1", "state": "LOADING"}]}


@pytest.mark.parametrize(
    ("name", "number", "ready"),
    [("tiny", "", True), ("tiny", "1", True), ("tiny", "2", False), ("tinny", "", False), ("", "", False)],
)
def test_a_model_is_ready_or_not(calls: RawCalls, name: str, number: str, ready: bool) -> None:
    assert model_ready(calls, name, number) is ready


def test_the_server_says_what_it_is(calls: RawCalls) -> None:
    metadata = ask(calls, "ServerMetadata", oip.ServerMetadataRequest(), oip.ServerMetadataResponse)
    assert (metadata.name, metadata.version) == ("numbatch", version("numbatch"))
    assert "system_shared_memory" in metadata.extensions


def test_a_model_says_what_it_takes_and_gives() -> None:
    with running_server([tower()]) as server, raw_calls(server.address) as calls:
        metadata = ask(calls, "ModelMetadata", oip.ModelMetadataRequest(name="tower"), oip.ModelMetadataResponse)
        config = ask(calls, "ModelConfig", oip.ModelConfigRequest(name="tower"), oip.ModelConfigResponse).config
    assert document(metadata) == {
        "name": "tower",
        "versions": ["1"],
        "platform": "numbatch",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": ["-1", "8"]},
            {"name": "user", "datatype": "INT32", "shape": ["-1", "1"]},
            {"name": "words", "datatype": "INT32", "shape": ["-1", "6"]},
        ],
        "outputs": [
            {"name": "score", "datatype": "FP32", "shape": ["-1", "1"]},
            {"name": "kind", "datatype": "FP32", "shape": ["-1", "3"]},
        ],
    }
    assert document(config)["input"] == [
        {"name": "x", "data_type": "TYPE_FP32", "dims": ["8"]},
        {"name": "user", "data_type": "TYPE_INT32", "dims": ["1"]},
        {"name": "words", "data_type": "TYPE_INT32", "dims": ["6"]},
    ]


def test_the_configuration_is_what_the_server_and_the_models_settings_say(own: tuple[RunningServer, RawCalls]) -> None:
    server, calls = own
    write_model(server.repository, tiny_model("set"))
    (server.repository / "set" / "settings.txtpb").write_text(
        "version_policy { specific { versions: [1, 3] } } batching { max_batch_size: 7 max_queue_delay_us: 50 }"
    )
    ask(calls, "RepositoryModelLoad", oip.RepositoryModelLoadRequest(model_name="set"), oip.RepositoryModelLoadResponse)
    config = ask(calls, "ModelConfig", oip.ModelConfigRequest(name="set"), oip.ModelConfigResponse).config
    assert (config.platform, config.backend, config.max_batch_size) == ("numbatch", "numbatch", 7)
    assert list(config.version_policy.specific.versions) == [1, 3]
    assert config.dynamic_batching.max_queue_delay_microseconds == 50
    assert config.parameters["numeric_contract"].string_value == "f32-1"
    tiny = ask(calls, "ModelConfig", oip.ModelConfigRequest(name="tiny"), oip.ModelConfigResponse).config
    assert (tiny.max_batch_size, tiny.version_policy.latest.num_versions) == (1024, 1)


@pytest.mark.parametrize("method", ["ModelMetadata", "ModelConfig", "ModelStatistics"])
def test_a_question_about_what_there_is_not_is_refused(calls: RawCalls, method: str) -> None:
    question = getattr(oip, f"{method}Request")
    for name, number, reason in (
        ("tinny", "", Reason.MODEL_NOT_FOUND),
        ("tiny", "2", Reason.VERSION_NOT_FOUND),
        ("tiny", "x", Reason.INVALID_FIELD),
    ):
        data = question(name=name, version=number).SerializeToString()
        refused = refusal(lambda data=data: calls.unary(SERVICE + method, data))  # type: ignore[misc]
        assert refused.reason is reason


def test_bytes_that_are_no_question_are_refused(calls: RawCalls) -> None:
    for method in [name for name in dir(oip) if name.endswith("Request") and name != "ModelInferRequest"]:
        path = SERVICE + method.removesuffix("Request")
        refused = refusal(lambda path=path: calls.unary(path, b"\xff"))  # type: ignore[misc]
        assert (refused.reason, refused.code) == (Reason.MALFORMED_MESSAGE, Code.INVALID_ARGUMENT)


def statistics(calls: RawCalls, **of: str) -> list[oip.ModelStatistics]:
    answer = ask(calls, "ModelStatistics", oip.ModelStatisticsRequest(**of), oip.ModelStatisticsResponse)
    return list(answer.model_stats)


def test_statistics_count_the_requests_of_every_service(own: tuple[RunningServer, RawCalls]) -> None:
    _, calls = own
    (before,) = statistics(calls)
    assert (before.name, before.version, before.inference_count, before.last_inference) == ("tiny", "1", 0, 0)
    assert before.memory_usage[0].byte_size > 0
    for _ in range(3):
        model_infer(calls, request("tiny", [[1, 1]] * 4))
    calls.infer("tiny", [[1, 1]] * 2)
    stream(calls, [request("tiny", [1, 1]), request("tiny", [1, 1, 1]), request("tinny", [1, 1])])
    refusal(lambda: model_infer(calls, request("tiny", [1], version="1")))
    (now,) = statistics(calls, name="tiny", version="1")
    stats = now.inference_stats
    assert (now.inference_count, now.execution_count) == (15, 5)
    # What asked for no version by its number, and failed before one was found, is no version's.
    assert (stats.success.count, stats.fail.count, stats.queue.count, stats.compute_infer.count) == (5, 1, 5, 5)
    assert stats.success.ns >= stats.queue.ns + stats.compute_infer.ns > 0
    assert [(batch.batch_size, batch.compute_infer.count) for batch in now.batch_stats] == [(1, 1), (2, 1), (4, 3)]
    assert now.last_inference > 1_500_000_000_000


def test_statistics_of_a_version_without_a_model_are_refused(calls: RawCalls) -> None:
    data = oip.ModelStatisticsRequest(version="1").SerializeToString()
    refused = refusal(lambda: calls.unary(SERVICE + "ModelStatistics", data))
    assert (refused.reason, refused.field) == (Reason.INVALID_FIELD, "name")


def test_a_batch_that_failed_is_none_that_ran() -> None:
    compute = ManualCompute()
    with running_server([tiny_model()], compute=compute) as server, raw_calls(server.address) as calls:
        future = calls.channel.unary_unary(MODEL_INFER).future(request("tiny", [1, 1]).SerializeToString(), timeout=10)
        compute.next_job().fail(ZeroDivisionError("secret"))
        assert future.exception() is not None
        (found,) = statistics(calls)
    assert (found.execution_count, found.inference_stats.fail.count, found.inference_count) == (0, 1, 0)


def index(calls: RawCalls, **of: Any) -> list[tuple[str, str, str]]:
    answer = ask(calls, "RepositoryIndex", oip.RepositoryIndexRequest(**of), oip.RepositoryIndexResponse)
    return [(model.name, model.version, model.state) for model in answer.models]


def load(calls: RawCalls, **fields: Any) -> bytes:
    return calls.unary(SERVICE + "RepositoryModelLoad", oip.RepositoryModelLoadRequest(**fields).SerializeToString())


def unload(calls: RawCalls, **fields: Any) -> bytes:
    message = oip.RepositoryModelUnloadRequest(**fields)
    return calls.unary(SERVICE + "RepositoryModelUnload", message.SerializeToString())


def test_models_are_listed_loaded_and_unloaded(own: tuple[RunningServer, RawCalls]) -> None:
    server, calls = own
    write_model(server.repository, tiny_model("new", factor=3))
    assert index(calls) == [("tiny", "1", "READY")]
    assert load(calls, model_name="new") == b""
    assert index(calls) == [("new", "1", "READY"), ("tiny", "1", "READY")]
    assert outputs(model_infer(calls, request("new", [1, 1])))["positive"].tolist() == [3, 3]
    assert unload(calls, model_name="new", parameters={"unload_dependents": {"bool_param": True}}) == b""
    assert index(calls) == [("new", "1", "UNAVAILABLE"), ("tiny", "1", "READY")]
    assert index(calls, ready=True) == [("tiny", "1", "READY")]
    assert not model_ready(calls, "new")
    refused = refusal(lambda: model_infer(calls, request("new", [1, 1])))
    assert (refused.reason, refused.code) == (Reason.MODEL_NOT_READY, Code.UNAVAILABLE)
    load(calls, model_name="new", parameters={"weights_precision": {"string_param": "bf16"}})
    config = ask(calls, "ModelConfig", oip.ModelConfigRequest(name="new"), oip.ModelConfigResponse).config
    assert config.parameters["weights_precision"].string_value == "bf16"


def test_a_model_that_cannot_be_loaded_is_listed_with_its_reason(own: tuple[RunningServer, RawCalls]) -> None:
    server, calls = own
    write_model(server.repository, tiny_model("bad"))
    (server.repository / "bad" / "1" / "model.binpb").write_bytes(b"\xff")
    assert refusal(lambda: load(calls, model_name="bad")).reason is Reason.MODEL_CORRUPT
    answer = ask(calls, "RepositoryIndex", oip.RepositoryIndexRequest(), oip.RepositoryIndexResponse)
    (bad,) = [model for model in answer.models if model.name == "bad"]
    assert (bad.state, bad.reason.partition(":")[0]) == ("UNAVAILABLE", "MODEL_CORRUPT")


def test_kserves_clients_have_the_models_name_in_another_field(own: tuple[RunningServer, RawCalls]) -> None:
    _, calls = own
    done = b"\x0a\x04tiny\x10\x01"  # the model's name, and that it is done
    assert unload(calls, repository_name="tiny") == done
    assert not model_ready(calls, "tiny")
    assert load(calls, repository_name="tiny") == done
    assert model_ready(calls, "tiny")


NOT_LOADED: dict[str, tuple[dict[str, Any], Reason, str]] = {
    "unknown model": ({"model_name": "tinny"}, Reason.MODEL_NOT_FOUND, "model_name"),
    "no model": ({}, Reason.INVALID_FIELD, "model_name"),
    "outside": ({"model_name": "../tiny"}, Reason.MODEL_NOT_FOUND, "model_name"),
    "repository": (
        {"model_name": "tiny", "repository_name": "r"},
        Reason.FEATURE_UNSUPPORTED,
        "repository_name",
    ),
    "configuration": (
        {"model_name": "tiny", "parameters": {"config": {"string_param": "{}"}}},
        Reason.FEATURE_UNSUPPORTED,
        "parameters.config",
    ),
    "file": (
        {"model_name": "tiny", "parameters": {"file:1/model.binpb": {"bytes_param": b""}}},
        Reason.FEATURE_UNSUPPORTED,
        "parameters.file:1/model.binpb",
    ),
    "unknown parameter": (
        {"model_name": "tiny", "parameters": {"colour": {"string_param": "red"}}},
        Reason.INVALID_FIELD,
        "parameters.colour",
    ),
    "unknown precision": (
        {"model_name": "tiny", "parameters": {"weights_precision": {"string_param": "f64"}}},
        Reason.INVALID_FIELD,
        "parameters.weights_precision",
    ),
}


@pytest.mark.parametrize(("fields", "reason", "field"), NOT_LOADED.values(), ids=NOT_LOADED)
def test_a_load_is_refused_with_its_reason_and_field(
    calls: RawCalls, fields: dict[str, Any], reason: Reason, field: str
) -> None:
    refused = refusal(lambda: load(calls, **fields))
    assert (refused.reason, refused.field) == (reason, field)
    assert model_ready(calls, "tiny")


def test_an_unload_of_what_there_is_not_is_refused(calls: RawCalls) -> None:
    assert refusal(lambda: unload(calls, model_name="tinny")).reason is Reason.MODEL_NOT_FOUND
    parameters = {"colour": {"string_param": "red"}}
    assert refusal(lambda: unload(calls, model_name="tiny", parameters=parameters)).field == "parameters.colour"


def test_memory_of_gpus_is_refused_and_there_is_none(calls: RawCalls) -> None:
    status = oip.CudaSharedMemoryStatusRequest()
    assert not ask(calls, "CudaSharedMemoryStatus", status, oip.CudaSharedMemoryStatusResponse).regions
    ask(
        calls,
        "CudaSharedMemoryUnregister",
        oip.CudaSharedMemoryUnregisterRequest(),
        oip.CudaSharedMemoryUnregisterResponse,
    )
    data = oip.CudaSharedMemoryRegisterRequest(name="r", byte_size=8).SerializeToString()
    refused = refusal(lambda: calls.unary(SERVICE + "CudaSharedMemoryRegister", data))
    assert (refused.reason, refused.code) == (Reason.FEATURE_UNSUPPORTED, Code.UNIMPLEMENTED)


def test_what_is_logged_and_traced_is_told_and_cannot_be_changed(calls: RawCalls) -> None:
    logged = ask(calls, "LogSettings", oip.LogSettingsRequest(), oip.LogSettingsResponse).settings
    assert (logged["log_info"].bool_param, logged["log_verbose_level"].uint32_param) == (True, 0)
    traced = ask(calls, "TraceSetting", oip.TraceSettingRequest(), oip.TraceSettingResponse).settings
    assert (list(traced["trace_mode"].value), list(traced["trace_level"].value)) == (["opentelemetry"], ["OFF"])
    quieter, traced_too = oip.LogSettingsRequest(), oip.TraceSettingRequest()
    quieter.settings["log_info"].bool_param = False
    traced_too.settings["trace_level"].value.append("TIMESTAMPS")
    changes = {"LogSettings": quieter, "TraceSetting": traced_too}
    for method, change in changes.items():
        data = change.SerializeToString()
        refused = refusal(lambda method=method, data=data: calls.unary(SERVICE + method, data))  # type: ignore[misc]
        assert (refused.reason, refused.code) == (Reason.FEATURE_UNSUPPORTED, Code.UNIMPLEMENTED)
    unknown = oip.TraceSettingRequest(model_name="tinny").SerializeToString()
    assert refusal(lambda: calls.unary(SERVICE + "TraceSetting", unknown)).reason is Reason.MODEL_NOT_FOUND
