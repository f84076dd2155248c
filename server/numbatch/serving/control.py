"""Changing which models are served: the one way to it, whatever brings the request."""

import asyncio
from concurrent.futures import Executor
from typing import Protocol

from numbatch.repository.registry import Registry
from numbatch.repository.snapshot import Entry
from numbatch.v1.repository_pb2 import LoadModelRequest, UnloadModelRequest
from numbatch.wire.precision import precision_name


class Control(Protocol):
    """Loads and unloads models. When it returns, all of the server has changed."""

    async def load(self, request: LoadModelRequest) -> Entry:
        """Load a model from disk or from the request, and return its version.

        Raises
        ------
        NumbatchError
            Why not; nothing has changed.
        """

    async def unload(self, request: UnloadModelRequest) -> list[Entry]:
        """Unload a version or a model, and return the versions that are unloaded now, newest first.

        Raises
        ------
        NotFoundError
            MODEL_NOT_FOUND, VERSION_NOT_FOUND.
        """


class LocalControl:
    """Changes the models of this process.

    Parameters
    ----------
    registry : Registry
        The models.
    loader : Executor
        Where they are loaded, so that the event loop goes on meanwhile.
    """

    def __init__(self, registry: Registry, loader: Executor) -> None:
        self.registry = registry
        self.loader = loader

    async def load(self, request: LoadModelRequest) -> Entry:
        """Load a model."""
        return await asyncio.get_running_loop().run_in_executor(self.loader, self._load, request)

    async def unload(self, request: UnloadModelRequest) -> list[Entry]:
        """Unload a model."""
        return self.registry.unload(request.model_name, request.model_version)

    def _load(self, request: LoadModelRequest) -> Entry:
        precision = precision_name(request.weights_precision)
        if not request.HasField("model"):
            return self.registry.load_from_disk(request.model_name, request.model_version, precision)
        return self.registry.load_from_message(
            request.model,
            name=request.model_name,
            version=request.model_version,
            weights_precision=precision or "f32",
        )
