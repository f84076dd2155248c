"""The control of a worker: what it is asked to change, all workers change, one change after the other."""

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from numbatch.repository.snapshot import Entry
from numbatch.serving.control import LocalControl
from numbatch.serving.workers.changes import Change
from numbatch.v1.repository_pb2 import LoadModelRequest, UnloadModelRequest

T = TypeVar("T")

# Waits for its turn, makes a change with what it is given, and lets the other workers make it as well.
Turn = Callable[[Callable[[], Awaitable[Change]]], Awaitable[None]]


class WorkerControl:
    """Changes the models of all workers: first those of this one, and if that succeeds, those of the others.

    Parameters
    ----------
    local : LocalControl
        Changes those of this one.
    in_turn : callable
        See `Turn`.
    folder : Path
        Where models that came in messages are kept for the others, and for workers to come.
    """

    def __init__(self, local: LocalControl, in_turn: Turn, folder: Path) -> None:
        self._local = local
        self._in_turn = in_turn
        self._folder = folder

    async def load(self, request: LoadModelRequest) -> Entry:
        """Load a model."""
        return await self._everywhere(lambda: self._load(request))

    async def unload(self, request: UnloadModelRequest) -> list[Entry]:
        """Unload a model."""
        return await self._everywhere(lambda: self._unload(request))

    async def _everywhere(self, change: Callable[[], Awaitable[tuple[T, Change]]]) -> T:
        results: list[T] = []

        async def make() -> Change:
            result, made = await change()
            results.append(result)
            return made

        # A caller that leaves does not leave the workers different from each other.
        turn = asyncio.ensure_future(self._in_turn(make))
        turn.add_done_callback(_consider_seen)
        await asyncio.shield(turn)
        return results[0]

    async def _load(self, request: LoadModelRequest) -> tuple[Entry, Change]:
        folder = await self._run(self._keep, request) if request.HasField("model") else ""
        try:
            entry = await self._local.load(request)
        except BaseException:
            if folder:
                shutil.rmtree(folder, ignore_errors=True)
            raise
        asked = entry.version if folder else request.model_version
        precision = entry.weights_precision
        return entry, Change(entry.name, asked, True, result=entry.version, weights_precision=precision, folder=folder)

    async def _unload(self, request: UnloadModelRequest) -> tuple[list[Entry], Change]:
        entries = await self._local.unload(request)
        return entries, Change(request.model_name, request.model_version, loads=False)

    def _keep(self, request: LoadModelRequest) -> str:
        """Write a model into a folder of its own, as the repository has it."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            (folder / "model.binpb").write_bytes(request.model.SerializeToString(deterministic=True))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return str(folder)

    async def _run(self, function: Callable[[LoadModelRequest], str], request: LoadModelRequest) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._local.loader, function, request)


def _consider_seen(turn: "asyncio.Future[None]") -> None:
    if not turn.cancelled():
        turn.exception()
