"""The server that is soaked: a command as any operator starts it, and its processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.workers import children

_SERVER = ("-m", "numbatch.cli")
_LEAKY = ("-m", "soak.leaky_server")
_STOP_S = 40

STREAM_STALL_S = 1


@dataclass(frozen=True)
class Served:
    """A server that is ready."""

    address: str
    http_address: str
    popen: "subprocess.Popen[str]"
    workers: int

    @property
    def pids(self) -> list[int]:
        """The processes that serve, and the supervisor where there is one."""
        pid = self.popen.pid
        if self.workers == 1:
            return [pid]
        return [pid, *children(pid)]


@contextmanager
def server_process(repository: Path, log: Path, *, workers: int = 1, leaky: bool = False) -> Iterator[Served]:
    """Serve a repository that is polled, until the context ends; it must then end well."""
    command = [
        sys.executable,
        *(_LEAKY if leaky else _SERVER),
        "serve",
        "--json",
        "--model-repository",
        str(repository),
    ]
    command += ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--workers", str(workers)]
    command += ["--model-control", "poll", "--poll-interval-s", "0.5", "--log-level", "error"]
    command += ["--stream-stall-s", str(STREAM_STALL_S)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    with log.open("w") as stderr:
        popen = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment)
    try:
        assert popen.stdout is not None
        line = popen.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
        ready = json.loads(line)
        yield Served(ready["address"], ready["http_address"], popen, workers)
        popen.terminate()
        status = popen.wait(_STOP_S)
        if status:
            raise RuntimeError(f"the server ended with {status}: {log.read_text()[-2000:]}")
    finally:
        popen.kill()
        popen.wait()
