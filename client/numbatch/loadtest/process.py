"""A generator process: orders come on standard input, what it finds goes to standard output.

It is a new interpreter (`python -m numbatch.loadtest.process`), never a fork: gRPC's threads do not survive one. It
ends with its standard input, so that none is left behind by a caller that was killed.
"""

import asyncio
import importlib
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import grpc

from numbatch.client._address import Target
from numbatch.client._security import Security, Tls
from numbatch.loadtest.channel import open_channel
from numbatch.loadtest.generator import Generator
from numbatch.loadtest.library import Library
from numbatch.loadtest.orders import Connection, Order, decode, encode
from numbatch.loadtest.protocols import protocol_named

_CONNECT_S = 10.0


class _Running:
    """The generator that runs, if one does."""

    generator: Generator | None = None

    def stop(self) -> None:
        if self.generator is not None:
            self.generator.stop()


async def _serve(orders: "asyncio.Queue[tuple[str, Any]]", running: _Running, tell: Callable[[str, Any], None]) -> None:
    _, connection = await orders.get()
    connected = Connection(**connection)
    target = Target.of(connected.server)
    security = Security.checked(target, _tls(connected), connected.token, allow_plaintext_token=True)
    channels = [open_channel(grpc.aio, target, security) for _ in range(connected.connections)]
    library, protocol = Library(Path(connected.library)), protocol_named(connected.protocol)
    try:
        async with asyncio.timeout(_CONNECT_S):
            for channel in channels:
                await channel.channel_ready()
    except TimeoutError:
        tell("failed", f"no connection to {connected.server} within {_CONNECT_S:g} s")
        return
    tell("connected", None)
    while True:
        _, order = await orders.get()
        running.generator = Generator(Order(**order), library, channels, protocol, security.metadata())
        found = await running.generator.run(tell)
        running.generator = None
        tell("found", found)


def main() -> None:
    """Carry out orders until there are no more."""
    # Whatever else is printed here goes to standard error.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        loop = runner.get_loop()
        orders: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        running = _Running()

        def tell(kind: str, value: Any) -> None:
            _write(out, encode(kind, value).encode())

        def listen() -> None:
            for line in sys.stdin.buffer:
                kind, value = decode(line)
                if kind == "stop":
                    loop.call_soon_threadsafe(running.stop)
                else:
                    loop.call_soon_threadsafe(orders.put_nowait, (kind, value))
            os._exit(0)

        threading.Thread(target=listen, daemon=True).start()
        try:
            runner.run(_serve(orders, running, tell))
        except BaseException as problem:
            traceback.print_exc()
            tell("failed", f"{type(problem).__name__}: {problem}")
            os._exit(1)


def _tls(connection: Connection) -> Tls | bool | None:
    given = connection.tls
    if not isinstance(given, dict):
        return given
    files = ("root_certificates", "certificate", "private_key")
    pem = {file: content.encode() for file in files if (content := given.get(file)) is not None}
    return Tls(pem.get(files[0]), pem.get(files[1]), pem.get(files[2]), given.get("target_name_override"))


def _write(out: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[out.write(view) :]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        factory: Callable[[], asyncio.AbstractEventLoop] = importlib.import_module("uvloop").new_event_loop
    except ModuleNotFoundError:
        return None
    return factory


if __name__ == "__main__":
    main()
