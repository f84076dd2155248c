"""The memory that models take: accounted for, and refused before there is none left."""

import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from numbatch.engine import Footprint
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# Of what there is, the part that is not for models: the process itself, requests, answers, the machine's other tenants.
_LEAST_REST_BYTES = 192 * 2**20
_REST_PART = 5

# A limit that is none, as the kernel writes it in cgroup v1: the largest multiple of a page in an int64.
_NO_LIMIT_BYTES = 2**62


class MemoryAccount:
    """Knows what all models hold, and what those take that are being loaded. Safe to use from several threads.

    Parameters
    ----------
    limit_bytes : int or None
        What they may take together. None: as much as they like.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        # Taken by finalizers, which may run in the middle of a method here, on its thread.
        self._lock = threading.RLock()
        self._held_bytes = 0
        self._loading_bytes = 0

    @property
    def held_bytes(self) -> int:
        """What all models hold that are there: also those that were replaced, until their last request is done."""
        return self._held_bytes

    @property
    def room_bytes(self) -> int | None:
        """What one more may take; None: there is no limit."""
        if self.limit_bytes is None:
            return None
        return self.limit_bytes - self._held_bytes - self._loading_bytes

    @contextmanager
    def reserved(self, footprint: Footprint) -> Iterator[None]:
        """Set memory aside for a model that is loaded meanwhile.

        Raises
        ------
        OverloadedError
            MEMORY_LIMIT, if there is not so much left.
        """
        needed = footprint.peak_bytes
        with self._lock:
            room = self.room_bytes
            if room is not None and needed > room:
                raise error(
                    Reason.MEMORY_LIMIT,
                    "too little memory for the model",
                    field="max_model_memory_bytes",
                    got=f"a model that takes {needed} bytes while it is loaded",
                    expected=f"at most {max(room, 0)} of {self.limit_bytes}, as {self._held_bytes} are held",
                    hint="unload a model, load it with weights_precision bf16, or raise the limit if there is memory",
                )
            self._loading_bytes += needed
        try:
            yield
        finally:
            with self._lock:
                self._loading_bytes -= needed

    def hold(self, model: Any, held_bytes: int) -> None:
        """Count what a model holds until nothing refers to it any more."""
        with self._lock:
            self._held_bytes += held_bytes
        weakref.finalize(model, self._release, held_bytes).atexit = False

    def _release(self, held_bytes: int) -> None:
        with self._lock:
            self._held_bytes -= held_bytes


def default_limit_bytes(cgroup: Path = Path("/sys/fs/cgroup"), meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Return what models may take where nobody says: what the container or else the machine has, less a fifth of it.

    The rest is at least 192 MiB, and no more than half. Where it is not known what there is, there is no limit.

    Parameters
    ----------
    cgroup : Path
        Where the control groups are mounted; for tests.
    meminfo : Path
        What the kernel says of its memory; for tests.
    """
    sizes = [size for size in (_cgroup_limit(cgroup), _physical(meminfo)) if size]
    if not sizes:
        return None
    total = min(sizes)
    return total - min(max(total // _REST_PART, _LEAST_REST_BYTES), total // 2)


def _cgroup_limit(cgroup: Path) -> int | None:
    """Return the limit of a container (cgroup v2, then v1), or None if there is none."""
    for file in (cgroup / "memory.max", cgroup / "memory/memory.limit_in_bytes"):
        try:
            text = file.read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() and int(text) < _NO_LIMIT_BYTES else None
    return None


def _physical(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text().splitlines()
    except OSError:
        return None
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith("MemTotal:")), None)
