"""inference.GRPCInferenceService, all but inference: probes, descriptions, statistics, repository, shared memory."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.message import DecodeError, Message

from numbatch.oip import grpc_inference_service_pb2 as oip
from numbatch.serving.oip.requests import SERVICE
from numbatch.serving.oip.service import OipService, no_gpu
from numbatch.serving.rpc.calls import Calls, UnaryBehaviour
from numbatch.serving.rpc.limits import check_response_size
from numbatch.serving.security.access import Scope
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.varints import field_head

RequestT = TypeVar("RequestT", bound=Message)

# What KServe's clients read of the answer to a load or an unload: the model's name, and that it succeeded.
_KSERVE_NAME, _KSERVE_DONE = 1, b"\x10\x01"


class OipModelsService:
    """Answers what is asked of the server and its models.

    Parameters
    ----------
    service : OipService
        Knows the answers.
    max_message_bytes : int
        The largest one.
    """

    def __init__(self, service: OipService, *, max_message_bytes: int) -> None:
        self._service = service
        self._max_message_bytes = max_message_bytes

    def handlers(self, calls: Calls) -> grpc.GenericRpcHandler:
        """Return what gRPC is given."""
        probes: dict[str, UnaryBehaviour] = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
        }
        questions: dict[str, UnaryBehaviour] = {
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelConfig": self.model_config,
            "ModelStatistics": self.model_statistics,
            "RepositoryIndex": self.repository_index,
            "SystemSharedMemoryStatus": self.system_shared_memory_status,
            "CudaSharedMemoryStatus": self.cuda_shared_memory_status,
            "CudaSharedMemoryRegister": self.cuda_shared_memory_register,
            "CudaSharedMemoryUnregister": self.cuda_shared_memory_unregister,
            "TraceSetting": self.trace_setting,
            "LogSettings": self.log_settings,
        }
        changes: dict[str, UnaryBehaviour] = {
            "RepositoryModelLoad": self.repository_model_load,
            "RepositoryModelUnload": self.repository_model_unload,
            "SystemSharedMemoryRegister": self.system_shared_memory_register,
            "SystemSharedMemoryUnregister": self.system_shared_memory_unregister,
        }
        methods = {name: calls.unary(answer, None, always=True) for name, answer in probes.items()}
        methods |= {name: calls.unary(answer, Scope.INFERENCE) for name, answer in questions.items()}
        methods |= {name: calls.unary(answer, Scope.CONTROL) for name, answer in changes.items()}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def server_live(self, data: bytes, _: float | None) -> bytes:
        """Say whether the server runs."""
        _parse(oip.ServerLiveRequest, data)
        return oip.ServerLiveResponse(live=self._service.live).SerializeToString()

    async def server_ready(self, data: bytes, _: float | None) -> bytes:
        """Say whether the server takes requests."""
        _parse(oip.ServerReadyRequest, data)
        return oip.ServerReadyResponse(ready=self._service.ready).SerializeToString()

    async def model_ready(self, data: bytes, _: float | None) -> bytes:
        """Say whether a model answers."""
        request = _parse(oip.ModelReadyRequest, data)
        return oip.ModelReadyResponse(
            ready=self._service.model_ready(request.name, request.version)
        ).SerializeToString()

    async def server_metadata(self, data: bytes, _: float | None) -> bytes:
        """Say what the server is."""
        _parse(oip.ServerMetadataRequest, data)
        return self._answer(self._service.server_metadata(), oip.ServerMetadataResponse())

    async def model_metadata(self, data: bytes, _: float | None) -> bytes:
        """Say what a model takes and gives."""
        request = _parse(oip.ModelMetadataRequest, data)
        return self._answer(self._service.model_metadata(request.name, request.version), oip.ModelMetadataResponse())

    async def model_config(self, data: bytes, _: float | None) -> bytes:
        """Say how a model is served."""
        request = _parse(oip.ModelConfigRequest, data)
        config = self._service.model_config(request.name, request.version)
        return self._answer({"config": config}, oip.ModelConfigResponse())

    async def model_statistics(self, data: bytes, _: float | None) -> bytes:
        """Say what models have done."""
        request = _parse(oip.ModelStatisticsRequest, data)
        found = self._service.model_statistics(request.name, request.version)
        return self._answer(found, oip.ModelStatisticsResponse())

    async def repository_index(self, data: bytes, _: float | None) -> bytes:
        """List what is known."""
        request = _parse(oip.RepositoryIndexRequest, data)
        models = self._service.repository_index(request.repository_name, ready=request.ready)
        return self._answer({"models": models}, oip.RepositoryIndexResponse())

    async def repository_model_load(self, data: bytes, _: float | None) -> bytes:
        """Load a model."""
        request = _parse(oip.RepositoryModelLoadRequest, data)
        repository, name = _whose(request.repository_name, request.model_name)
        await self._service.load(name, _values(request.parameters), repository)
        return _done(name, is_kserve=not request.model_name)

    async def repository_model_unload(self, data: bytes, _: float | None) -> bytes:
        """Unload a model."""
        request = _parse(oip.RepositoryModelUnloadRequest, data)
        repository, name = _whose(request.repository_name, request.model_name)
        await self._service.unload(name, _values(request.parameters), repository)
        return _done(name, is_kserve=not request.model_name)

    async def system_shared_memory_status(self, data: bytes, _: float | None) -> bytes:
        """List the regions."""
        request = _parse(oip.SystemSharedMemoryStatusRequest, data)
        response = oip.SystemSharedMemoryStatusResponse()
        for region in self._service.regions.status(request.name):
            status = response.regions[region.name]
            status.name, status.key, status.offset, status.byte_size = region[:4]
        return response.SerializeToString()

    async def system_shared_memory_register(self, data: bytes, _: float | None) -> bytes:
        """Register a region."""
        request = _parse(oip.SystemSharedMemoryRegisterRequest, data)
        self._service.regions.register(request.name, request.key, request.offset, request.byte_size)
        return oip.SystemSharedMemoryRegisterResponse().SerializeToString()

    async def system_shared_memory_unregister(self, data: bytes, _: float | None) -> bytes:
        """Forget a region, or all."""
        self._service.regions.unregister(_parse(oip.SystemSharedMemoryUnregisterRequest, data).name)
        return oip.SystemSharedMemoryUnregisterResponse().SerializeToString()

    async def cuda_shared_memory_status(self, data: bytes, _: float | None) -> bytes:
        """List the regions of GPU memory: none."""
        _parse(oip.CudaSharedMemoryStatusRequest, data)
        return oip.CudaSharedMemoryStatusResponse().SerializeToString()

    async def cuda_shared_memory_register(self, data: bytes, _: float | None) -> bytes:
        """Refuse memory of a GPU."""
        _parse(oip.CudaSharedMemoryRegisterRequest, data)
        raise no_gpu()

    async def cuda_shared_memory_unregister(self, data: bytes, _: float | None) -> bytes:
        """Forget what was never known."""
        _parse(oip.CudaSharedMemoryUnregisterRequest, data)
        return oip.CudaSharedMemoryUnregisterResponse().SerializeToString()

    async def trace_setting(self, data: bytes, _: float | None) -> bytes:
        """Say how requests are traced."""
        request = _parse(oip.TraceSettingRequest, data)
        response = oip.TraceSettingResponse()
        for name, value in self._service.trace_settings(request.settings, request.model_name).items():
            response.settings[name].value.extend(value)
        return response.SerializeToString()

    async def log_settings(self, data: bytes, _: float | None) -> bytes:
        """Say what is logged."""
        request = _parse(oip.LogSettingsRequest, data)
        response = oip.LogSettingsResponse()
        for name, value in self._service.log_settings(request.settings).items():
            kinds = {bool: "bool_param", int: "uint32_param", str: "string_param"}
            setattr(response.settings[name], kinds[type(value)], value)
        return response.SerializeToString()

    def _answer(self, document: dict[str, Any], response: Message) -> bytes:
        encoded: bytes = ParseDict(document, response).SerializeToString()
        check_response_size(len(encoded), self._max_message_bytes, "name a model")
        return encoded


def _whose(repository: str, name: str) -> tuple[str, str]:
    """Return the repository and the model of a load or an unload; KServe's messages have the model first."""
    return (repository, name) if name else ("", repository)


def _done(name: str, *, is_kserve: bool) -> bytes:
    if not is_kserve:
        return b""
    encoded = name.encode()
    return field_head(_KSERVE_NAME, len(encoded)) + encoded + _KSERVE_DONE


def _values(parameters: Mapping[str, oip.ModelRepositoryParameter]) -> dict[str, object]:
    kinds = {name: value.WhichOneof("parameter_choice") for name, value in parameters.items()}
    return {name: getattr(parameters[name], kind) for name, kind in kinds.items() if kind is not None}


def _parse(message_type: Callable[[], RequestT], data: bytes) -> RequestT:
    message = message_type()
    try:
        message.ParseFromString(data)
    except DecodeError as malformed:
        name = message.DESCRIPTOR.full_name
        raise error(Reason.MALFORMED_MESSAGE, f"{len(data)} bytes that are no {name}") from malformed
    return message
