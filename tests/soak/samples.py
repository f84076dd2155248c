"""What a server holds, looked at again and again."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from soak.process import Served
from support.aftermath import metrics, total

_EVERY_S = 0.25


class Sample(NamedTuple):
    """All processes of a server together."""

    memory_mib: float
    descriptors: float
    threads: float
    tasks: float
    series: float


def look(served: Served) -> Sample:
    """Look once. Memory is what was written to: pages of files come and go as the system likes."""
    status = [Path(f"/proc/{pid}/status").read_text() for pid in served.pids]
    found = metrics(served.http_address)
    return Sample(
        sum(_field(text, "RssAnon") for text in status) / 1024,
        sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in served.pids),
        sum(_field(text, "Threads") for text in status),
        total(found, "numbatch_event_loop_tasks"),
        len(found),
    )


class Sampler(threading.Thread):
    """Looks several times a second until it is told to stop."""

    def __init__(self, served: Served, on_problem: Callable[[str], None]) -> None:
        super().__init__(name="soak-sampler", daemon=True)
        self._served = served
        self._on_problem = on_problem
        self._stopped = threading.Event()
        self.times: list[float] = []
        self.samples: list[Sample] = []

    def run(self) -> None:
        """Look."""
        while not self._stopped.wait(_EVERY_S):
            try:
                sample = look(self._served)
            except Exception as failed:
                self._on_problem(f"{type(failed).__name__}: {failed}")
                continue
            self.times.append(time.monotonic())
            self.samples.append(sample)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join()


def _field(status: str, name: str) -> int:
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
