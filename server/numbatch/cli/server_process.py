"""A numbatch server as a process of its own, as the demo starts it."""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from numbatch.cli.exits import CommandError, ExitCode

# The first start on a machine compiles the kernels.
START_DEADLINE_S = 90.0
STOP_DEADLINE_S = 15.0

# Of the log, in the error of a server that does not start.
_LOG_LINES = 5


class ServerProcess:
    """`numbatch serve` on a free port of this machine, ready when the block begins, stopped when it ends.

    Parameters
    ----------
    model_repository : Path
        What it serves.
    options : sequence of str
        Further options of `numbatch serve`.
    start_deadline_s : float
        How long it may take to be ready, in seconds.

    Attributes
    ----------
    address : str
        Where it listens.
    start_up_s : float
        How long it took to be ready, in seconds.
    pid : int
        Its process.
    log : Path
        What it writes to standard error.

    Raises
    ------
    CommandError
        If it is not ready in time; with the end of its log.
    """

    def __init__(
        self, model_repository: Path, options: Sequence[str] = (), *, start_deadline_s: float = START_DEADLINE_S
    ) -> None:
        self._command = [sys.executable, "-m", "numbatch.cli", "serve", "--json", "--listen", "127.0.0.1:0"]
        self._command += ["--http-listen", ""]
        self._command += ["--model-repository", str(model_repository), *options]
        self._start_deadline_s = start_deadline_s
        self._kept = False

    def __enter__(self) -> Self:
        started = time.monotonic()
        with tempfile.NamedTemporaryFile(prefix="numbatch-server-", suffix=".log", delete=False) as log:
            self.log = Path(log.name)
            # A session of its own: Ctrl-C at the terminal is for the command, which then stops the server.
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        self.pid = self._process.pid
        try:
            self.address = str(json.loads(self._first_line())["address"])
        except BaseException:
            self._stop()
            raise
        self.start_up_s = time.monotonic() - started
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._kept or kind is not None:
            self._stop()

    def keep(self) -> None:
        """Let the server run on when the block ends well."""
        self._kept = True

    def _first_line(self) -> bytes:
        stdout = self._process.stdout
        assert stdout is not None  # it is a pipe
        deadline = time.monotonic() + self._start_deadline_s
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(deadline - time.monotonic()):
                    raise self._failure(f"is not ready after {self._start_deadline_s:g} s")
                chunk = os.read(stdout.fileno(), 4096)
                if not chunk:
                    raise self._failure(
                        f"ended with exit code {self._process.wait(STOP_DEADLINE_S)} before it was ready"
                    )
                line += chunk
        return line

    def _failure(self, what: str) -> CommandError:
        said = self.log.read_text(errors="replace").strip().splitlines()[-_LOG_LINES:]
        return CommandError(f"the server {what}; it said: {' | '.join(said) or 'nothing'}", ExitCode.UNAVAILABLE)

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self.log.unlink(missing_ok=True)
