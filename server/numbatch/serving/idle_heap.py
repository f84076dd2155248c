"""Memory that large requests leave in the heap goes back to the system once the server is idle.

gRPC receives a message in many small pieces; when they are freed, glibc keeps them for the next ones. Measured: after
some messages of 64 MiB a server of 100 MiB stayed at 250, and was at 103 after this.
"""

import os
from collections.abc import Callable
from pathlib import Path

_WORTH_BYTES = 4 * 2**20

# After so many looks without work: with four a second, after 1, 2, 4 ... 64 s. What a connection holds, or a message
# that is refused, is not in flight, and may be freed later than what is.
_LOOKS = [4 * 2**power for power in range(7)]


class IdleHeap:
    """Says when the heap is to be trimmed.

    Parameters
    ----------
    is_idle : callable
        Says whether nothing is in flight.
    resident_bytes : callable
        Returns the memory that the process takes.
    """

    def __init__(self, is_idle: Callable[[], bool], resident_bytes: Callable[[], int]) -> None:
        self._is_idle = is_idle
        self._resident_bytes = resident_bytes
        self._idle_looks = 0
        self._least: int | None = None

    def look(self) -> bool:
        """Return whether to trim now; called now and then."""
        if not self._is_idle():
            self._idle_looks = 0
            return False
        self._idle_looks += 1
        if self._idle_looks not in _LOOKS:
            return False
        resident, least = self._resident_bytes(), self._least
        last = self._idle_looks == _LOOKS[-1]
        # What is left in the end is in use, as by a model that was loaded.
        self._least = resident if least is None or last else min(least, resident)
        return least is not None and resident >= least + _WORTH_BYTES


def resident_bytes() -> int:
    """Return the memory that this process takes; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
