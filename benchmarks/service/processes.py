"""Processes that are measured: started in a session of their own, their processor time counted, ended whole."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_END_S = 15.0


class Process:
    """A command with its descendants; what it prints goes to a file.

    Parameters
    ----------
    command : sequence of str
        What is run.
    log : path
        Where its output goes.
    environment : mapping, optional
        Variables beside those that there are.
    """

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | (environment or {}),
                start_new_session=True,
            )

    def cpu_s(self) -> float:
        """Return the processor seconds that it and its descendants have used."""
        return sum(_cpu_s(pid) for pid in self._tree())

    def check(self) -> None:
        """Raise RuntimeError if it has ended."""
        if self._popen.poll() is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self._popen.args} ended with {self._popen.returncode}:\n{tail}")

    def stop(self) -> None:
        """Ask it to end; end by force what is left of it."""
        pids = self._tree()
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(_END_S)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        # Descendants that outlive their parent, and are still what they were.
        for pid, born in pids.items():
            if _born(pid) == born:
                os.kill(pid, signal.SIGKILL)

    def _tree(self) -> dict[int, int]:
        """Return its processes by number, each with the tick that it began at."""
        children: dict[int, list[int]] = {}
        for pid, parent in _parents():
            children.setdefault(parent, []).append(pid)
        found, left = {}, [self._popen.pid]
        while left:
            pid = left.pop()
            if (born := _born(pid)) is not None:
                found[pid] = born
            left += children.get(pid, [])
        return found


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: Process, patience_s: float) -> None:
    """Wait until something listens on a local port.

    Raises
    ------
    RuntimeError
        If the process ends before that, or it takes too long.
    """
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        process.check()
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"nothing listens on port {port} after {patience_s:g} s; see {process.log}")


def _parents() -> Iterator[tuple[int, int]]:
    for folder in Path("/proc").glob("[0-9]*"):
        if fields := _stat(int(folder.name)):
            yield int(folder.name), int(fields[1])


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S if fields else 0.0


def _born(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else None


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, which may hold spaces; none if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
