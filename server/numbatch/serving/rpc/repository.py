"""numbatch.v1.ModelRepositoryService: listing, showing, loading and unloading models."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from numbatch.repository.registry import Registry
from numbatch.serving.control import Control
from numbatch.serving.metadata import model_metadata
from numbatch.serving.paging import page
from numbatch.serving.rpc.calls import Calls
from numbatch.serving.rpc.limits import check_response_size
from numbatch.serving.security.access import Scope
from numbatch.v1 import repository_pb2
from numbatch.v1.repository_pb2 import (
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    LoadModelRequest,
    LoadModelResponse,
    UnloadModelRequest,
    UnloadModelResponse,
)
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

SERVICE = repository_pb2.DESCRIPTOR.services_by_name["ModelRepositoryService"].full_name

_FLOAT32_BYTES = 4

RequestT = TypeVar("RequestT", bound=Message)


class RepositoryService:
    """Answers the methods that manage models.

    Parameters
    ----------
    registry : Registry
        The models.
    control : Control
        Changes them.
    max_message_bytes : int
        The largest answer.
    """

    def __init__(self, registry: Registry, control: Control, *, max_message_bytes: int) -> None:
        self._registry = registry
        self._control = control
        self._max_message_bytes = max_message_bytes

    def handlers(self, calls: Calls) -> grpc.GenericRpcHandler:
        """Return what gRPC is given."""
        methods = {
            "ListModels": calls.unary(self.list_models, Scope.INFERENCE),
            "GetModel": calls.unary(self.get_model, _scope_of_get_model),
            "LoadModel": calls.unary(self.load_model, Scope.CONTROL),
            "UnloadModel": calls.unary(self.unload_model, Scope.CONTROL),
        }
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def list_models(self, data: bytes, _: float | None) -> bytes:
        """List what is known, a page at a time."""
        request = _parse(ListModelsRequest, data)
        snapshot = self._registry.snapshot
        entries, token = page(list(snapshot), request.page_size, request.page_token)
        models = [snapshot.status(entry) for entry in entries]
        return ListModelsResponse(models=models, next_page_token=token).SerializeToString()

    async def get_model(self, data: bytes, _: float | None) -> bytes:
        """Show one version, on another thread if its weights are wanted: they may be large."""
        request = _parse(GetModelRequest, data)
        if request.include_weights:
            return await asyncio.to_thread(self._get_model, request)
        return self._get_model(request)

    async def load_model(self, data: bytes, _: float | None) -> bytes:
        """Load a model from disk or from the request."""
        request = await asyncio.to_thread(_parse, LoadModelRequest, data)  # it may bring a large model
        entry = await self._control.load(request)
        return LoadModelResponse(status=self._registry.snapshot.status(entry)).SerializeToString()

    async def unload_model(self, data: bytes, _: float | None) -> bytes:
        """Unload a version or a model."""
        entries = await self._control.unload(_parse(UnloadModelRequest, data))
        snapshot = self._registry.snapshot
        return UnloadModelResponse(statuses=[snapshot.status(entry) for entry in entries]).SerializeToString()

    def _get_model(self, request: GetModelRequest) -> bytes:
        snapshot = self._registry.snapshot
        version, model = snapshot.ready(request.model_name, request.model_version)
        status = snapshot.status(snapshot.versions[request.model_name][version])
        response = GetModelResponse(metadata=model_metadata(status, model))
        hint = "ask for it without its weights"
        if request.include_weights:
            # Before anything of that size is made.
            weights = _FLOAT32_BYTES * model.summary.parameter_count
            check_response_size(response.ByteSize() + weights, self._max_message_bytes, hint)
            response.model.CopyFrom(model.message())
        check_response_size(response.ByteSize(), self._max_message_bytes, hint)
        return response.SerializeToString()


def _scope_of_get_model(data: bytes) -> Scope:
    """Weights are what models are worth: reading them takes more than using them."""
    return Scope.CONTROL if _parse(GetModelRequest, data).include_weights else Scope.INFERENCE


def _parse(message_type: Callable[[], RequestT], data: bytes) -> RequestT:
    message = message_type()
    try:
        message.ParseFromString(data)
    except DecodeError as malformed:
        name = message.DESCRIPTOR.full_name
        raise error(Reason.MALFORMED_MESSAGE, f"{len(data)} bytes that are no {name}") from malformed
    return message
