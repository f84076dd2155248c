"""A worker's side of the channel: it says how far it is, makes the changes of others, and waits for its own turns."""

import asyncio
import contextlib
import itertools
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path

from numbatch.repository.registry import Registry
from numbatch.serving.info import ServerInfo
from numbatch.serving.workers.changes import Change
from numbatch.serving.workers.channel import Channel, Message
from numbatch.serving.workers.handover import failure_to_json, info_to_json
from numbatch.wire.errors import NotFoundError, NumbatchError, error
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)


class Link:
    """Speaks with the supervisor. It belongs to the thread of the event loop.

    Parameters
    ----------
    channel : Channel
        To the supervisor. If its other end is gone, the process ends: nobody would stop it any more.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._orders: asyncio.Queue[Message] = asyncio.Queue()
        self._answers: dict[tuple[str, int], asyncio.Future[None]] = {}
        self._numbers = itertools.count(1)
        self._tasks = [asyncio.create_task(self._listen())]

    async def may_listen(self, registry: Registry, loader: Executor, journal: Sequence[Change]) -> None:
        """Make the changes that were made before, say that the models are loaded, and wait until told to listen.

        From then on, changes are made as they come.
        """
        for change in journal:
            problem = await self._make(change, registry, loader)
            if problem:  # its successor could not make it either: better one without it than none
                fields = {"model": change.name, "problem": problem}
                _log.error("what was changed before cannot be changed here model=%(model)s: %(problem)s", fields)
        self._channel.send("loaded")
        while (order := await self._orders.get())["kind"] != "listen":
            await self._obey(order, registry, loader)
        self._tasks.append(asyncio.create_task(self._obey_all(registry, loader)))

    def say_ready(self, info: ServerInfo) -> None:
        """Say that the worker is ready."""
        self._channel.send("ready", info=info_to_json(info))

    async def say_failed(self, failure: BaseException) -> None:
        """Say why the worker cannot start."""
        self._channel.send("failed", failure=failure_to_json(failure))
        await self._channel.flush()

    async def in_turn(self, make: Callable[[], Awaitable[Change]]) -> None:
        """Wait for the turn of this worker, make a change, and wait until the others have made it."""
        number = next(self._numbers)
        self._channel.send("ask", number=number)
        await self._answer("turn", number)
        try:
            change = await make()
        except BaseException:
            self._channel.send("changed", number=number, change=None)
            raise
        self._channel.send("changed", number=number, change=change.to_json())
        await self._answer("done", number)

    async def _answer(self, kind: str, number: int) -> None:
        answer = self._answers[kind, number] = asyncio.get_running_loop().create_future()
        await answer

    async def _listen(self) -> None:
        async for message in self._channel:
            if message["kind"] in ("turn", "done"):
                self._answers.pop((message["kind"], message["number"])).set_result(None)
            elif message["kind"] == "ping":
                self._channel.send("pong")
            else:
                self._orders.put_nowait(message)
        _log.critical("the supervisor is gone")
        os._exit(1)

    async def _obey_all(self, registry: Registry, loader: Executor) -> None:
        while True:
            await self._obey(await self._orders.get(), registry, loader)

    async def _obey(self, order: Message, registry: Registry, loader: Executor) -> None:
        problem = await self._make(Change.from_json(order["change"]), registry, loader)
        self._channel.send("made", number=order["number"], problem=problem)

    async def _make(self, change: Change, registry: Registry, loader: Executor) -> str:
        """Make a change; return why it could not be made, or ""."""
        _log.info("another worker was asked to change model=%(model)s", {"model": change.name})
        try:
            await asyncio.get_running_loop().run_in_executor(loader, _apply, change, registry)
        except NumbatchError as refused:
            return str(refused)
        except Exception as bug:  # it is answered as well: all others wait for it
            _log.exception("changing model=%(model)s failed unexpectedly", {"model": change.name})
            return f"{type(bug).__name__}: {bug}"
        return ""


def _apply(change: Change, registry: Registry) -> None:
    """Make a change of another worker here.

    Raises
    ------
    NumbatchError
        If it cannot be made.
    """
    name, version, precision = change.name, change.version, change.weights_precision
    if not change.loads:
        with contextlib.suppress(NotFoundError):  # it is not there, as it should be
            registry.unload(name, version)
        return
    if change.folder:
        entry = registry.load_from_message(Path(change.folder), name=name, version=version, weights_precision=precision)
    else:
        entry = registry.load_from_disk(name, version, precision)
    if entry.version != change.result:
        got, expected = f"version {entry.version}", f"version {change.result}, as the other workers"
        raise error(Reason.VERSION_NOT_FOUND, f"model {name!r} was loaded", got=got, expected=expected)
