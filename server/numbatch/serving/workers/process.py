"""A worker as its supervisor sees it: a process, and the channel to it."""

import asyncio
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from numbatch.serving.config import ServerConfig
from numbatch.serving.workers.changes import Change
from numbatch.serving.workers.channel import Channel
from numbatch.serving.workers.handover import config_to_json
from numbatch.serving.workers.runtime_directory import RuntimeDirectory

_STANDARD_ERROR = 2
_COMMAND = [sys.executable, "-m", "numbatch.serving.workers.worker"]


class WorkerProcess:
    """One life of a worker; made by `spawn`.

    Attributes
    ----------
    channel : Channel
        To it.
    number : int
        Which of the workers, from 1 on.
    pid : int
        Its process.
    listens : bool
        Whether it was told to listen.
    ready_at : float or None
        When it was ready, on the monotonic clock.
    unanswered : int
        How often it was asked whether it is there, since it answered last.
    failure : Exception or None
        Why it could not start, if it said so.
    ended : Future of int
        The end of the process: its exit status, negative for the signal that ended it.
    """

    def __init__(self, number: int, channel: Channel, their_end: socket.socket, metrics: Path) -> None:
        self.number = number
        self.channel = channel
        self.listens = False
        self.ready_at: float | None = None
        self.unanswered = 0
        self.failure: Exception | None = None
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._answers: dict[tuple[str, int], asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._popen = subprocess.Popen(
            [*_COMMAND, str(their_end.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,  # standard output is the supervisor's
            pass_fds=[their_end.fileno()],
            env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(metrics)},
        )
        self.pid = self._popen.pid

    @classmethod
    async def spawn(cls, number: int, metrics: Path) -> Self:
        """Start the process of a worker; it waits to be told what to do.

        Raises
        ------
        OSError
            If the system has no process for it.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            channel = await Channel.open(ours)
            try:
                return cls(number, channel, theirs, metrics)
            except OSError:
                channel.close()
                raise

    def tell(self, config: ServerConfig, runtime: RuntimeDirectory, journal: Sequence[Change]) -> None:
        """Tell it what it needs to know."""
        self.channel.send(
            "start",
            worker=self.number,
            config=config_to_json(config),
            runtime_directory=str(runtime.path),
            journal=[change.to_json() for change in journal],
        )

    @property
    def log_fields(self) -> dict[str, object]:
        """What lines of the log say of it."""
        return {"worker": self.number, "pid": self.pid}

    @property
    def ready_s(self) -> float:
        """For how long it has been ready; 0 if it never was."""
        return 0.0 if self.ready_at is None else time.monotonic() - self.ready_at

    async def make(self, change: Change) -> str:
        """Let it make a change; return why it could not, or "". One that ends has no problem any more."""
        number = next(self._numbers)
        self.channel.send("change", number=number, change=change.to_json())
        return str(await self.answer("made", number) or "")

    async def answer(self, kind: str, number: int) -> Any:
        """Wait for a message of the worker; None when it ends without it."""
        answer = self._answers[kind, number] = asyncio.get_running_loop().create_future()
        if self.ended.done():
            return None
        return await answer

    def answered(self, kind: str, number: int, value: Any) -> None:
        """Let the one who waits for a message have it, unless the process has ended meanwhile."""
        answer = self._answers.pop((kind, number))
        if not answer.done():
            answer.set_result(value)

    def poll(self) -> None:
        """See whether the process has ended."""
        status = self._popen.poll()
        if status is not None and not self.ended.done():
            self.ended.set_result(status)
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_result(None)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self._popen.kill()
        self._popen.wait()
