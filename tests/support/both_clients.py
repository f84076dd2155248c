"""The two clients behind one face, so that a story is told once and holds for both."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from numbatch.client import AsyncClient, Client
from numbatch.client._requests import Inputs
from support.fake_server import FakeServer


class Blocking:
    """A `Client`; its streams are collected into lists."""

    def __init__(self, server: str | Sequence[str], **settings: Any) -> None:
        self.client = Client(server, **settings)

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self.client, method)(*args, **kwargs)

    def stream(self, model: str, minibatches: Iterable[Inputs], **kwargs: Any) -> list[Any]:
        return list(self.client.stream(model, minibatches, **kwargs))

    def close(self) -> None:
        self.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class Asynchronous(Blocking):
    """An `AsyncClient` and an event loop, which runs during calls."""

    def __init__(self, server: str | Sequence[str], **settings: Any) -> None:
        self.async_client = AsyncClient(server, **settings)
        self._runner = asyncio.Runner()

    def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return self._runner.run(getattr(self.async_client, method)(*args, **kwargs))

    def stream(self, model: str, minibatches: Iterable[Inputs], **kwargs: Any) -> list[Any]:
        async def collect() -> list[Any]:
            return [result async for result in self.async_client.stream(model, minibatches, **kwargs)]

        return self._runner.run(collect())

    def close(self) -> None:
        self._runner.run(self.async_client.close())
        self._runner.close()


BOTH = [Blocking, Asynchronous]


class Bench:
    """Starts fake servers, and clients of one kind; all of it ends with the test."""

    def __init__(self, kind: type[Blocking], stack: ExitStack) -> None:
        self._kind = kind
        self._stack = stack

    def server(self, methods: Mapping[str, Any] | None = None, **settings: Any) -> FakeServer:
        return self._stack.enter_context(FakeServer(methods, **settings))

    def client(self, server: FakeServer | str | Sequence[str], **settings: Any) -> Blocking:
        address = server.address if isinstance(server, FakeServer) else server
        return self._stack.enter_context(self._kind(address, **settings))
