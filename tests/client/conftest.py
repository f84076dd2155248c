"""Both clients, and a server that says what a test has it say."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from support.both_clients import BOTH, Blocking
from support.fake_server import FakeServer


class Bench:
    """Starts fake servers, and clients of one kind; all of it ends with the test."""

    def __init__(self, kind: type[Blocking], stack: ExitStack) -> None:
        self._kind = kind
        self._stack = stack

    def server(self, methods: dict[str, Any] | None = None, **settings: Any) -> FakeServer:
        return self._stack.enter_context(FakeServer(methods, **settings))

    def client(self, server: FakeServer | str, **settings: Any) -> Blocking:
        address = server if isinstance(server, str) else server.address
        return self._stack.enter_context(self._kind(address, **settings))


@pytest.fixture(params=BOTH, ids=["Client", "AsyncClient"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(request.param, stack)
