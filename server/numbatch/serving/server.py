"""A server as a whole: its parts put together, its start and its end."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple, Self

from numbatch.batching import Batcher, Queue
from numbatch.batching.batcher import Tell
from numbatch.engine import load_model
from numbatch.engine.warmup import warm_up
from numbatch.repository.registry import Loader
from numbatch.serving.address import is_local, port_of
from numbatch.serving.batch_limits import limits_of
from numbatch.serving.config import ServerConfig
from numbatch.serving.control import Control, LocalControl
from numbatch.serving.core import Compute, Core
from numbatch.serving.http.gate import Gate, terms_of
from numbatch.serving.http.listener import HttpListener
from numbatch.serving.http.site import Site, make_listener
from numbatch.serving.info import ServerInfo
from numbatch.serving.lifecycle import Lifecycle, Phase
from numbatch.serving.models import Models
from numbatch.serving.observability.levels import Sources
from numbatch.serving.observability.service import Observability
from numbatch.serving.observer import LoadReport, Observer
from numbatch.serving.oip import requests as oip
from numbatch.serving.oip.service import OipService
from numbatch.serving.rpc import health, inference, repository
from numbatch.serving.rpc.calls import Calls
from numbatch.serving.rpc.credentials import server_credentials
from numbatch.serving.rpc.health import HealthService
from numbatch.serving.rpc.inference import InferenceService
from numbatch.serving.rpc.oip import OipInferenceService
from numbatch.serving.rpc.oip_models import OipModelsService
from numbatch.serving.rpc.reflection import ReflectionService
from numbatch.serving.rpc.repository import RepositoryService
from numbatch.serving.rpc.settings import connections_by_default, server_options
from numbatch.serving.rpc.transport import Transport
from numbatch.serving.rpc.window import StreamLimits
from numbatch.serving.security.access import access_for
from numbatch.serving.security.certificates import certificate_files

_log = logging.getLogger(__name__)


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
        Is told of requests, batches and loads as well.
    load : Loader
        Makes the models.
    control : callable, optional
        Makes of the control of this server's models that which requests are given. Default: the same.
    share_port : bool
        Whether other processes listen on the same port, which is reserved for them and this one.

    Attributes
    ----------
    registry : Registry
        The models.
    """

    def __init__(
        self,
        config: ServerConfig,
        *,
        compute: Callable[[Tell], Compute] | None = None,
        observer: Observer | None = None,
        load: Loader = load_model,
        control: Callable[[LocalControl], Control] = lambda local: local,
        share_port: bool = False,
    ) -> None:
        self._config = config
        self._loop = asyncio.get_running_loop()
        self._loader = ThreadPoolExecutor(1, "numbatch-load")
        self._share_port = share_port
        self._lifecycle = Lifecycle()
        self._models = Models(config, load, self._loader, on_change=self._models_changed, on_load=self._model_loaded)
        self.registry = self._models.registry
        self._control = control(LocalControl(self.registry, self._loader))
        self._access = access_for(config)
        traced = bool(config.trace_endpoint)
        self._calls = Calls(self._lifecycle, self._access, traced=traced)
        self._gate = Gate(self._lifecycle, self._access.over_http(config), terms=terms_of(config), traced=traced)
        self._oip = OipService(
            config,
            self.registry,
            self._control,
            self._lifecycle,
            lambda: self._compute.is_alive,
            alone=not share_port,
        )
        self._observability = self._make_observability(observer)
        self._core = Core(
            self.registry,
            max_output_bytes=config.max_message_bytes,
            limits=partial(limits_of, config),
            observer=self._observability,
        )
        self._compute = self._core.compute = (compute or self._make_batcher)(self._core.tell)
        self._certificates = certificate_files(config)
        self._warn_of_tokens_in_the_clear()
        self._transport = self._make_transport()
        self._http = self._make_http()
        self.address = ""
        self.http_address = ""

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
        self.discover()
        return await self.open()

    def discover(self) -> None:
        """List what is in the repository, as being loaded."""
        self._models.discover()

    async def open(self) -> str:
        """Accept calls, and return the address."""
        self.address = await self._transport.start(self._config.listen)
        if self._config.http_listen:
            self.http_address = await self._http.start(self._config.http_listen, shares_port=self._share_port)
        self._observability.start()
        return self.address

    async def load_models(self) -> None:
        """Make the kernels ready, load what was discovered, then be ready."""
        await self._loop.run_in_executor(self._loader, partial(warm_up, apart=True))
        await self._models.load()
        self._lifecycle.enter(Phase.READY)

    @property
    def info(self) -> ServerInfo:
        """Where the server listens, and how it stands with its models."""
        snapshot = self.registry.snapshot
        return ServerInfo(self.address, tuple(snapshot.status(entry) for entry in snapshot), self.http_address)

    @property
    def drain_delay_s(self) -> float:
        """How long the server goes on if it is asked to leave now. Nobody was sent to one that is not ready."""
        return self._config.drain_delay_s if self._lifecycle.phase is Phase.READY else 0.0

    async def leave(self) -> None:
        """Say that the server is about to end, and go on as before for the drain delay.

        Health says NOT_SERVING meanwhile, so that load balancers and clients turn to other servers.
        """
        delay_s = self.drain_delay_s
        self._lifecycle.enter(Phase.LEAVING)
        await asyncio.sleep(delay_s)

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
        await asyncio.gather(self._transport.stop(grace_s), self._gate.finish(grace_s))
        # Last: until then it says that the server drains, and what it has counted.
        await self._http.stop()
        await self._observability.stop()
        self._oip.close()
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

    def _make_observability(self, observer: Observer | None) -> Observability:
        sources = Sources(
            snapshot=lambda: self.registry.snapshot,
            ready=lambda: self._lifecycle.ready,
            calls=_AllCalls(self._calls, self._gate),
            queues=lambda: self._compute.statistics,
            port=lambda: port_of(self.address),
            tasks=lambda: len(asyncio.all_tasks(self._loop)),
        )
        return Observability(self._config, sources, [self._oip.statistics, *([observer] if observer else [])])

    def _make_http(self) -> HttpListener:
        site = Site(
            self._lifecycle,
            lambda: self._compute.is_alive,
            self._observability.scrape,
            self._core,
            self._oip,
            self._observability,
        )
        most = self._config.max_connections or connections_by_default()
        return make_listener(self._config, site, self._gate, self._certificates, most)

    def _warn_of_tokens_in_the_clear(self) -> None:
        config, is_open = self._config, self._certificates is None
        addresses = [config.listen] if is_open else []
        if config.http_listen and config.http_tls == "off" and not terms_of(config).closed:
            addresses.append(config.http_listen)
        if self._access.uses_tokens and not all(map(is_local, addresses)):
            _log.warning("tokens are sent in the clear: encrypt with --tls-certificate, or have a proxy do it")

    def _make_batcher(self, tell: Tell) -> Batcher:
        # One: a large batch is shared by all threads of the process, and small ones are not worth a second.
        return Batcher(Queue(max_bytes_in_flight=self._config.max_bytes_in_flight), tell)

    def _make_transport(self) -> Transport:
        config, calls, files = self._config, self._calls, self._certificates
        limits = StreamLimits(config.stream_window, config.stream_window_bytes, config.stream_stall_s)
        inference_service = InferenceService(
            self._core,
            self._lifecycle,
            max_message_bytes=config.max_message_bytes,
            stream_limits=limits,
            observer=self._observability,
        )
        repository_service = RepositoryService(self.registry, self._control, max_message_bytes=config.max_message_bytes)
        health_service = HealthService(self.registry, self._lifecycle, lambda: self._compute.is_alive)
        oip_inference_service = OipInferenceService(
            self._core,
            self._lifecycle,
            self._oip.regions,
            max_message_bytes=config.max_message_bytes,
            stream_limits=limits,
            observer=self._observability,
        )
        oip_models_service = OipModelsService(self._oip, max_message_bytes=config.max_message_bytes)
        described = [inference.SERVICE, repository.SERVICE, health.SERVICE, oip.SERVICE]
        reflection_service = ReflectionService(described, self._lifecycle, limits._replace(window=1))
        services = (
            *(inference_service, repository_service, health_service, reflection_service),
            *(oip_inference_service, oip_models_service),
        )
        handlers = [service.handlers(calls) for service in services]
        credentials = None if files is None else server_credentials(files)
        return Transport(
            handlers,
            calls,
            options=server_options(config, share_port=self._share_port),
            credentials=credentials,
            share_port=self._share_port,
        )

    def _models_changed(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended; nobody watches any more
            self._loop.call_soon_threadsafe(self._lifecycle.notify)

    def _model_loaded(self, report: LoadReport) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._observability.on_load, report)

    def _end_threads(self) -> None:
        self._loader.shutdown(cancel_futures=True)
        self._compute.close()


class _AllCalls(NamedTuple):
    """The calls in progress, over gRPC and over HTTP."""

    calls: Calls
    gate: Gate

    @property
    def in_progress(self) -> int:
        return self.calls.in_progress + self.gate.in_progress

    @property
    def open_streams(self) -> int:
        return self.calls.open_streams
