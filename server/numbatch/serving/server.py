"""A server as a whole: its parts put together, its start and its end."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

from numbatch.batching import Batcher, Queue
from numbatch.batching.batcher import Tell
from numbatch.engine import load_model
from numbatch.engine.warmup import warm_up
from numbatch.repository.registry import Loader, Registry
from numbatch.serving.config import ServerConfig
from numbatch.serving.core import Compute, Core
from numbatch.serving.lifecycle import Lifecycle, Phase
from numbatch.serving.models import Models
from numbatch.serving.observer import Observer
from numbatch.serving.rpc import health, inference, repository
from numbatch.serving.rpc.calls import Calls
from numbatch.serving.rpc.health import HealthService
from numbatch.serving.rpc.inference import InferenceService
from numbatch.serving.rpc.reflection import ReflectionService
from numbatch.serving.rpc.repository import RepositoryService
from numbatch.serving.rpc.transport import Transport
from numbatch.v1.repository_pb2 import ModelStatus


@dataclass(frozen=True)
class ServerInfo:
    """Describes a server that is ready.

    Attributes
    ----------
    address : str
        "host:port", with the port that it is.
    models : tuple of ModelStatus
        All versions, those that failed to load too.
    """

    address: str
    models: tuple[ModelStatus, ...]


class Server:
    """A server inside this process, on the running event loop.

    For example::

        async with Server(ServerConfig(model_repository=Path("models"), listen="127.0.0.1:0")) as server:
            print(server.address)

    Parameters
    ----------
    config : ServerConfig
        What it is told.
    compute : callable, optional
        Makes what runs requests; it is given whom to tell of them. Default: a `Batcher` with one thread.
    observer : Observer, optional
        Is told of requests and batches.
    load : Loader
        Makes the models.
    """

    def __init__(
        self,
        config: ServerConfig,
        *,
        compute: Callable[[Tell], Compute] | None = None,
        observer: Observer | None = None,
        load: Loader = load_model,
    ) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._loader = ThreadPoolExecutor(1, "numbatch-load")
        self._observer = observer or Observer()
        self._lifecycle = Lifecycle()
        self._models = Models(config, load, self._loader, on_change=self._models_changed)
        self._registry = self._models.registry
        self._core = Core(
            self._registry,
            max_output_bytes=config.max_message_bytes,
            limits=self._models.batch_limits,
            observer=self._observer,
        )
        self._compute = self._core.compute = (compute or self._make_batcher)(self._core.tell)
        self._transport = self._make_transport()
        self.address = ""

    async def start(self) -> str:
        """Listen, load the models, be ready, and return the address.

        Raises
        ------
        OSError
            If the model repository cannot be read or the address cannot be had; the message says which and why.
        """
        await self.listen()
        await self.load_models()
        return self.address

    async def listen(self) -> str:
        """Accept calls, and return the address. The server is live, but not ready: its models are yet to be loaded."""
        self._models.discover()
        self.address = await self._transport.start(self._config.listen)
        return self.address

    async def load_models(self) -> None:
        """Make the kernels ready, load what is in the repository, then be ready."""
        await self._loop.run_in_executor(self._loader, warm_up)
        await self._models.load()
        self._lifecycle.enter(Phase.READY)

    @property
    def registry(self) -> Registry:
        """The models."""
        return self._registry

    @property
    def info(self) -> ServerInfo:
        """Where the server listens, and how it stands with its models."""
        snapshot = self._registry.snapshot
        return ServerInfo(self.address, tuple(snapshot.status(entry) for entry in snapshot))

    async def stop(self, grace_s: float | None = None) -> None:
        """Say that it is to end, refuse new calls, finish those in progress, end.

        Parameters
        ----------
        grace_s : float, optional
            What is not finished after so many seconds is cancelled. Default: the configuration's.
        """
        grace_s = self._config.shutdown_grace_s if grace_s is None else grace_s
        self._lifecycle.enter(Phase.DRAINING)
        await self._models.stop()
        await self._transport.stop(grace_s)
        await asyncio.to_thread(self._end_threads)

    async def __aenter__(self) -> Self:
        """Start."""
        try:
            await self.start()
        except BaseException:
            await self.stop(0)
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    def _make_batcher(self, tell: Tell) -> Batcher:
        # One: a large batch is shared by all threads of the process, and small ones are not worth a second.
        return Batcher(Queue(max_bytes_in_flight=self._config.max_bytes_in_flight), tell)

    def _make_transport(self) -> Transport:
        config, calls = self._config, Calls(self._lifecycle)
        inference_service = InferenceService(
            self._core,
            self._lifecycle,
            max_message_bytes=config.max_message_bytes,
            stream_window=config.stream_window,
            observer=self._observer,
        )
        repository_service = RepositoryService(self._registry, self._loader, max_message_bytes=config.max_message_bytes)
        health_service = HealthService(self._registry, self._lifecycle)
        reflection_service = ReflectionService([inference.SERVICE, repository.SERVICE, health.SERVICE], self._lifecycle)
        services = (inference_service, repository_service, health_service, reflection_service)
        handlers = [service.handlers(calls) for service in services]
        return Transport(handlers, calls, max_message_bytes=config.max_message_bytes)

    def _models_changed(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody watches any more
            self._loop.call_soon_threadsafe(self._lifecycle.notify)

    def _end_threads(self) -> None:
        self._loader.shutdown(cancel_futures=True)
        self._compute.close()
