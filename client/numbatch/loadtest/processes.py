"""The generator processes of a run: started, told what to do, listened to, ended."""

import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self

from numbatch.loadtest.errors import GeneratorError
from numbatch.loadtest.interruption import on_interrupt
from numbatch.loadtest.orders import Connection, Found, Order, decode, encode

# They tell something four times a second.
_SILENCE_S = 30.0
_CONNECT_S = 60.0
_LAST_LINES = 5

Tick = dict[str, Any]


class GeneratorProcesses:
    """Some processes, while the context is entered.

    Parameters
    ----------
    number : int
        How many.

    Attributes
    ----------
    interrupted : bool
        Whether an order was ended early.
    """

    def __init__(self, number: int) -> None:
        # It can be put into from a signal handler, whatever was interrupted.
        self._events: queue.SimpleQueue[tuple[int, str, Any]] = queue.SimpleQueue()
        self._logs = [tempfile.TemporaryFile() for _ in range(number)]
        self.interrupted = False
        self._processes = [self._start(log) for log in self._logs]
        for index, process in enumerate(self._processes):
            threading.Thread(target=self._listen, args=(index, process), daemon=True).start()

    def __len__(self) -> int:
        return len(self._processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        for log in self._logs:
            log.close()

    def connect(self, connection: Connection) -> None:
        """Have all connect to the server and read the messages."""
        for index in range(len(self)):
            self._tell(index, encode("connect", connection))
        for _ in range(len(self)):
            self._next(_CONNECT_S)

    def run(self, orders: Sequence[Order], on_tick: Callable[[int, Tick], None]) -> list[Found]:
        """Have the first processes carry out an order each. Ctrl-C ends them early, with what they have found.

        Parameters
        ----------
        orders : sequence of Order
            At most as many as there are processes.
        on_tick : callable
            Is told the index of a process, and what is new there.
        """
        with on_interrupt(lambda: self._events.put((0, "interrupt", None))):
            for index, order in enumerate(orders):
                self._tell(index, encode("order", order))
            found: dict[int, Found] = {}
            while len(found) < len(orders):
                index, kind, value = self._next(_SILENCE_S)
                if kind == "interrupt":
                    self.interrupted = True
                    for index in range(len(orders)):
                        self._tell(index, encode("stop", None))
                elif kind == "found":
                    found[index] = Found.from_json(value)
                else:
                    on_tick(index, value)
        return [found[index] for index in sorted(found)]

    def _start(self, log: Any) -> "subprocess.Popen[bytes]":
        # What this process can import, that one can.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen(
            [sys.executable, "-m", "numbatch.loadtest.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            # Ctrl-C is for the caller, which ends them.
            start_new_session=True,
        )

    def _listen(self, index: int, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                self._events.put((index, *decode(line)))
        except ValueError:
            pass  # closed
        self._events.put((index, "ended", None))

    def _tell(self, index: int, line: str) -> None:
        stdin = self._processes[index].stdin
        assert stdin is not None
        try:
            stdin.write(line.encode())
            stdin.flush()
        except BrokenPipeError:
            raise self._ended(index) from None

    def _next(self, within_s: float) -> tuple[int, str, Any]:
        try:
            index, kind, value = self._events.get(timeout=within_s)
        except queue.Empty:
            raise GeneratorError(f"a generator process has said nothing for {within_s:.0f} s") from None
        if kind == "failed":
            raise GeneratorError(str(value))
        if kind == "ended":
            raise self._ended(index)
        return index, kind, value

    def _ended(self, index: int) -> GeneratorError:
        status = self._processes[index].wait()
        self._logs[index].seek(0)
        said = self._logs[index].read().decode(errors="replace").strip().splitlines()[-_LAST_LINES:]
        return GeneratorError(f"a generator process ended with status {status}: {' | '.join(said) or 'no word'}")
