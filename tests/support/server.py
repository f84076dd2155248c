"""A real server for tests, in this process, on a thread of its own."""

import asyncio
import tempfile
import threading
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from numbatch.engine import load_model
from numbatch.repository.registry import Loader
from numbatch.serving.app import Server, new_event_loop
from numbatch.serving.config import ServerConfig
from numbatch.serving.observer import Observer
from numbatch.v1.model_pb2 import Model
from support.manual_executor import ManualExecutor

T = TypeVar("T")


@dataclass(frozen=True)
class RunningServer:
    """What a test knows of it: the address to call, its repository, and the server itself on its event loop."""

    address: str
    repository: Path
    server: Server
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop, and return its result."""
        return self.start(coroutine).result(30)

    def start(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Start a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)


def write_model(repository: Path, model: Model, version: int = 1) -> Path:
    """Write a model into a repository, as `<name>/<version>/model.binpb`, and return that folder."""
    folder = repository / model.name / str(version)
    folder.mkdir(parents=True)
    (folder / "model.binpb").write_bytes(model.SerializeToString())
    return folder


@contextmanager
def running_server(
    models: Iterable[Model] = (),
    *,
    repository: Path | None = None,
    compute: ManualExecutor | None = None,
    observer: Observer | None = None,
    load: Loader = load_model,
    loaded: bool = True,
    **config: Any,
) -> Iterator[RunningServer]:
    """Run a server until the context ends.

    Parameters
    ----------
    models : iterable of Model
        Written to the repository as version 1 before the start.
    repository : Path, optional
        The model repository. Default: a new folder, removed afterwards.
    compute, observer, load
        As for `Server`.
    loaded : bool
        False: the server only listens; its `load_models` is left to the test.
    **config
        Fields of `ServerConfig`; without them it listens on a free port of 127.0.0.1 and stops without grace.
    """
    with ExitStack() as stack:
        if repository is None:
            repository = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="numbatch-test-")))
        for model in models:
            write_model(repository, model)
        settings = ServerConfig(
            model_repository=repository, **{"listen": "127.0.0.1:0", "shutdown_grace_s": 0.0, **config}
        )
        loop = new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="test-server")
        thread.start()

        def run(coroutine: Coroutine[Any, Any, T]) -> T:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

        def end_loop() -> None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

        stack.callback(end_loop)
        server = run(_make(settings, compute, observer, load))
        stack.callback(lambda: run(server.stop()))
        address = run(server.start() if loaded else server.listen())
        yield RunningServer(address, repository, server, loop)


async def _make(
    config: ServerConfig, compute: ManualExecutor | None, observer: Observer | None, load: Loader
) -> Server:
    return Server(config, compute=compute, observer=observer, load=load)
