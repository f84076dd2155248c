"""Changing the models of all workers: one change at a time, and first in the worker that was asked for it."""

import asyncio
import logging
import shutil
import signal
from collections.abc import Coroutine, Mapping
from typing import Any

from numbatch.serving.workers.changes import Change, Journal
from numbatch.serving.workers.process import WorkerProcess

_log = logging.getLogger(__name__)


class Changing:
    """Lets workers change together.

    Parameters
    ----------
    workers : mapping of int to WorkerProcess
        Those that there are now, by number.

    Attributes
    ----------
    journal : Journal
        What was changed, for workers to come.
    """

    def __init__(self, workers: Mapping[int, WorkerProcess]) -> None:
        self.journal = Journal()
        self._workers = workers
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, worker: WorkerProcess, number: int) -> None:
        """Give a worker that asks for it a turn, once it is its turn."""
        self._run(self._change(worker, number))

    async def _change(self, worker: WorkerProcess, number: int) -> None:
        async with self._turn:
            worker.channel.send("turn", number=number)
            made = await worker.answer("changed", number)
            if made is None:  # it could not, or it has ended
                return
            change = Change.from_json(made)
            superseded = self.journal.add(change)
            others = [other for other in self._workers.values() if other is not worker]
            following = {other: self._run(self._follow(other, change)) for other in others}
            # Those that do not listen yet will have made it when they do.
            waited_for = [task for other, task in following.items() if other.listens]
            if waited_for:
                await asyncio.wait(waited_for)
            self._run(self._remove(superseded, list(following.values())))
        worker.channel.send("done", number=number)

    async def _follow(self, worker: WorkerProcess, change: Change) -> None:
        """Let a worker make what another one has made; one that cannot is replaced, and its successor can."""
        problem = await worker.make(change)
        if problem:
            fields = {**worker.log_fields, "problem": problem}
            _log.error("worker=%(worker)d pid=%(pid)d cannot follow the others and is replaced: %(problem)s", fields)
            worker.signal(signal.SIGTERM)

    async def _remove(self, folders: list[str], readers: list[asyncio.Task[None]]) -> None:
        """Remove models that came in messages, once nobody reads them any more."""
        if readers:
            await asyncio.wait(readers)
        for folder in folders:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
