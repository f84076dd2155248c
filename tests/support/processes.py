"""A server as a process of its own: what it says, and how it ends."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVE = """
import sys
from pathlib import Path
from numbatch.serving import app
from numbatch.serving.config import ServerConfig

def on_ready(info):
    {on_ready}
    print(info.address, flush=True)

{before}
options = {{"listen": "127.0.0.1:0", "http_listen": "", "compute_threads": 1, **{options!r}}}
app.serve(ServerConfig(model_repository=Path(sys.argv[1]), **options), on_ready=on_ready)
{after}
"""


@dataclass(frozen=True)
class Process:
    """A server process that has said its first line: its address, if nothing else was asked for."""

    popen: subprocess.Popen[str]
    address: str

    def wait_running(self) -> None:
        """Wait until the process says that a model runs."""
        assert self.popen.stdout is not None
        assert self.popen.stdout.readline() == "running\n"

    def end(self) -> tuple[int, str]:
        """Wait for its end; return its status and what it logged."""
        _, log = self.popen.communicate(timeout=20)
        return self.popen.returncode, log


@contextmanager
def serving(
    repository: Path, *, on_ready: str = "pass", before: str = "", after: str = "", **options: Any
) -> Iterator[Process]:
    """Run a server with these options, and with lines of Python before it, once it is ready, and after it."""
    script = SERVE.format(options=options, on_ready=on_ready, before=before, after=after)
    command = [sys.executable, "-c", script, str(repository)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as popen:
        try:
            assert popen.stdout is not None
            address = popen.stdout.readline().strip()
            assert address, popen.communicate(timeout=20)[1]
            yield Process(popen, address)
        finally:
            popen.kill()


@contextmanager
def serving_with_http(
    repository: Path, *, on_ready: str = "pass", before: str = "", **options: Any
) -> Iterator[tuple[Process, str]]:
    """Run a server that answers HTTP as well, and give where."""
    tell = f"{on_ready}; print(info.http_address, flush=True)"
    options = {"http_listen": "127.0.0.1:0", **options}
    with serving(repository, on_ready=tell, before=before, **options) as said_first:
        assert said_first.popen.stdout is not None
        yield Process(said_first.popen, said_first.popen.stdout.readline().strip()), said_first.address
