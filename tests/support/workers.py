"""`numbatch serve --workers` as processes, for tests: what they log is what is waited for."""

import os
import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from numbatch.client import Client

_MOST_CONNECTIONS = 64
_PATIENCE_S = 40
_NUMBATCH = ("-m", "numbatch.cli")


class Workers:
    """A supervisor that is ready, and what it and its workers log."""

    def __init__(self, popen: "subprocess.Popen[str]") -> None:
        self.popen = popen
        self.log: list[str] = []
        assert popen.stdout is not None
        line = popen.stdout.readline()
        assert line.startswith("numbatch ready on "), popen.communicate(timeout=20)[1]
        self.address = line.split()[3]
        self.http_address = line.split()[-1]
        self.pids = {int(number): int(pid) for number, pid in self.find(r"worker=(\d+) pid=(\d+) started", times=2)}
        self.find("ready address=.* workers=2")

    def find(self, pattern: str, times: int = 1) -> list[tuple[str, ...]]:
        """Read on in the log until lines match; return the groups of each."""
        assert self.popen.stderr is not None
        found: list[tuple[str, ...]] = []
        while len(found) < times:
            line = self.popen.stderr.readline()
            assert line, f"the log ended before {pattern!r}: {self.log}"
            self.log.append(line)
            sys.stdout.write(line)  # for whoever reads why a test failed
            match = re.search(pattern, line)
            if match:
                found.append(match.groups())
        return found

    def kill(self, number: int) -> None:
        """Kill a worker, and wait until there is another one in its place."""
        killed = self.pids[number]
        os.kill(killed, signal.SIGKILL)
        self.replaced(number)

    def replaced(self, number: int) -> None:
        """Wait until there is another worker in the place of one that ends."""
        ((pid,),) = self.find(rf"worker={number} pid=(\d+) started")
        self.find(rf"supervisor: worker={number} pid={pid} ready")
        self.pids[number] = int(pid)

    @contextmanager
    def clients(self) -> Iterator[dict[int, Client]]:
        """Connect to each worker; the system deals connections out, so it may take several."""
        with ExitStack() as stack:
            reached: dict[int, Client] = {}
            for _ in range(_MOST_CONNECTIONS):
                before = self._connections()
                client = stack.enter_context(Client(self.address))
                client.is_ready()
                after = self._connections()
                (number,) = (number for number in self.pids if after[number] != before[number])
                reached.setdefault(number, client)
                if len(reached) == len(self.pids):
                    break
            yield reached

    def _connections(self) -> dict[int, set[str]]:
        """Return the connections of each worker."""
        port = f"{int(self.address.rpartition(':')[2]):04X}"
        tables = [Path(f"/proc/net/{table}").read_text() for table in ("tcp", "tcp6")]
        rows = [line.split() for table in tables for line in table.splitlines()[1:]]
        established = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port}") and row[3] == "01"}
        return {number: established & _files(pid) for number, pid in self.pids.items()}

    def end(self, *signals: signal.Signals) -> int:
        """Send signals, wait until all who write the log have ended, and return the status."""
        for number in signals:
            self.popen.send_signal(number)
        assert self.popen.stdout is not None and self.popen.stderr is not None
        self.log += self.popen.stderr.readlines()
        assert self.popen.stdout.read() == ""
        return self.popen.wait(_PATIENCE_S)


@contextmanager
def serving_workers(
    *arguments: object, before: Sequence[str] = (), program: Sequence[str] = _NUMBATCH
) -> Iterator[Workers]:
    """Run two workers until the context ends, by a command that comes `before` it."""
    with workers_process(*arguments, before=before, program=program) as popen:
        yield Workers(popen)


@contextmanager
def workers_process(
    *arguments: object, before: Sequence[str] = (), program: Sequence[str] = _NUMBATCH, **environment: str
) -> Iterator["subprocess.Popen[str]"]:
    """Run `numbatch serve` with two workers on a free port until the context ends."""
    command = [*before, sys.executable, *program, "serve", "--listen", "127.0.0.1:0", "--workers", "2"]
    command += ["--http-listen", "127.0.0.1:0"]
    with subprocess.Popen(
        [*command, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    ) as popen:
        try:
            yield popen
        finally:
            popen.terminate()
            try:
                popen.communicate(timeout=_PATIENCE_S)
            except subprocess.TimeoutExpired:
                popen.kill()


def wait_for_end(pid: int) -> None:
    """Wait until a process that is no child has ended."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    with selectors.DefaultSelector() as selector:
        selector.register(process, selectors.EVENT_READ)
        assert selector.select(_PATIENCE_S), f"process {pid} is still there"
    os.close(process)


def children(pid: int) -> list[int]:
    """Return the child processes of a process, zombies too."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid: int) -> bool:
    """Tell whether there is a process, a zombie too."""
    return Path(f"/proc/{pid}").exists()


def _files(pid: int) -> set[str]:
    files = set()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            files.add(str(file.readlink()))
        except FileNotFoundError:  # closed meanwhile
            continue
    return files
