"""Who may do what over the protocol: as over the services of numbatch."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message import Message

from numbatch.oip import grpc_inference_service_pb2 as oip
from numbatch.wire.reasons import Reason
from support.oip import MODEL_STREAM_INFER, SERVICE, request
from support.raw_calls import RawCalls, error_of, raw_calls, refusal
from support.server import running_server
from support.tiny import tiny_model

INFERENCE, CONTROL = "inference-token", "control-token"

OPEN: dict[str, Message] = {
    "ServerLive": oip.ServerLiveRequest(),
    "ServerReady": oip.ServerReadyRequest(),
    "ModelReady": oip.ModelReadyRequest(name="tiny"),
}
QUESTIONS: dict[str, Message] = {
    "ServerMetadata": oip.ServerMetadataRequest(),
    "ModelMetadata": oip.ModelMetadataRequest(name="tiny"),
    "ModelConfig": oip.ModelConfigRequest(name="tiny"),
    "ModelStatistics": oip.ModelStatisticsRequest(),
    "ModelInfer": request("tiny", [1, 1]),
    "RepositoryIndex": oip.RepositoryIndexRequest(),
    "SystemSharedMemoryStatus": oip.SystemSharedMemoryStatusRequest(),
    "CudaSharedMemoryStatus": oip.CudaSharedMemoryStatusRequest(),
    "CudaSharedMemoryUnregister": oip.CudaSharedMemoryUnregisterRequest(),
    "TraceSetting": oip.TraceSettingRequest(),
    "LogSettings": oip.LogSettingsRequest(),
}
CHANGES: dict[str, Message] = {
    "RepositoryModelLoad": oip.RepositoryModelLoadRequest(model_name="tiny"),
    "RepositoryModelUnload": oip.RepositoryModelUnloadRequest(model_name="other"),
    "SystemSharedMemoryUnregister": oip.SystemSharedMemoryUnregisterRequest(),
}
REFUSED_TO_ALL = {"CudaSharedMemoryRegister", "SystemSharedMemoryRegister", "ModelStreamInfer"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawCalls]:
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "inference").write_text(INFERENCE)
    (folder / "control").write_text(CONTROL)
    files: dict[str, Any] = {"inference_tokens_file": folder / "inference", "control_tokens_file": folder / "control"}
    models = [tiny_model(), tiny_model("other")]
    with running_server(models, **files) as server, raw_calls(server.address) as calls:
        yield calls


def test_every_method_is_here() -> None:
    methods = {method.name for method in oip.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods}
    assert methods == {*OPEN, *QUESTIONS, *CHANGES, *REFUSED_TO_ALL}


@pytest.mark.parametrize("method", OPEN)
def test_probes_need_no_token(guarded: RawCalls, method: str) -> None:
    guarded.unary(SERVICE + method, OPEN[method].SerializeToString())


@pytest.mark.parametrize("method", QUESTIONS)
def test_questions_and_inference_take_a_token_of_either_scope(guarded: RawCalls, method: str) -> None:
    data = QUESTIONS[method].SerializeToString()
    assert refusal(lambda: guarded.unary(SERVICE + method, data)).reason is Reason.UNAUTHENTICATED
    for token in (INFERENCE, CONTROL):
        guarded.with_token(token).unary(SERVICE + method, data)


@pytest.mark.parametrize("method", CHANGES)
def test_changes_take_a_control_token(guarded: RawCalls, method: str) -> None:
    data = CHANGES[method].SerializeToString()
    assert refusal(lambda: guarded.unary(SERVICE + method, data)).reason is Reason.UNAUTHENTICATED
    own = guarded.with_token(INFERENCE)
    assert refusal(lambda: own.unary(SERVICE + method, data)).reason is Reason.PERMISSION_DENIED
    guarded.with_token(CONTROL).unary(SERVICE + method, data)


def test_a_stream_is_refused_before_anything_of_it_is_read(guarded: RawCalls) -> None:
    answers = guarded.channel.stream_stream(MODEL_STREAM_INFER)(iter([request("tiny", [1, 1]).SerializeToString()]))
    assert error_of(answers.exception()).reason is Reason.UNAUTHENTICATED


def test_where_models_cannot_be_controlled_neither_can_shared_memory() -> None:
    with running_server([tiny_model()], repository_control="off") as server, raw_calls(server.address) as calls:
        for method, message in CHANGES.items():
            data = message.SerializeToString()
            refused = refusal(lambda method=method, data=data: calls.unary(SERVICE + method, data))  # type: ignore[misc]
            assert refused.reason is Reason.PERMISSION_DENIED
        for method, message in (QUESTIONS | OPEN).items():
            calls.unary(SERVICE + method, message.SerializeToString())
