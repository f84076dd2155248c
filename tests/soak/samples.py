"""What a server holds while nobody asks for anything."""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from soak.process import Served
from support.aftermath import metrics, total

# Connections that have ended free what they held a moment later.
_LONGEST_REST_S = 3.0
_LOOK_EVERY_S = 0.1
_AS_BEFORE_MIB = 0.5


class Sample(NamedTuple):
    """All processes of a server together."""

    heap_mib: float
    python_blocks: float
    resident_mib: float
    descriptors: float
    threads: float
    tasks: float
    series: float


def at_rest(served: Served, before: Sequence[Sample]) -> Sample:
    """Look until the memory is down to what it was before, or for long enough; return the least of each."""
    goal = min((sample.heap_mib for sample in before), default=0.0) + _AS_BEFORE_MIB
    seen = [_look(served)]
    until = time.monotonic() + _LONGEST_REST_S
    while seen[-1].heap_mib > goal and time.monotonic() < until:
        time.sleep(_LOOK_EVERY_S)
        seen.append(_look(served))
    return Sample(*map(min, zip(*seen, strict=True)))


def _look(served: Served) -> Sample:
    """Look once. Resident is what was written to: pages of files come and go as the system likes."""
    status = [Path(f"/proc/{pid}/status").read_text() for pid in served.pids]
    found = metrics(served.http_address)
    return Sample(
        total(found, "numbatch_heap_bytes") / 2**20,
        total(found, "numbatch_python_blocks"),
        sum(_field(text, "RssAnon") for text in status) / 1024,
        sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in served.pids),
        sum(_field(text, "Threads") for text in status),
        total(found, "numbatch_event_loop_tasks"),
        len(found),
    )


def _field(status: str, name: str) -> int:
    (line,) = (line for line in status.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
