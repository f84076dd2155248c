"""The compute threads of this process: how many there may be, and those that help with large batches.

They belong to the process, not to a model: two models that run at once share them, and who finds them busy runs alone.
A helper sits inside compiled code, waits there for work, and needs neither the interpreter nor its lock.
"""

import os
import sys
import threading

import numpy as np
import numpy.typing as npt

from numbatch.kernels.arena import aligned_zeros
from numbatch.kernels.placement import CPU_SET_SIZE
from numbatch.kernels.processors import MOST_THREADS, available_cpus
from numbatch.kernels.program import DISMISS, SERVE, run_network
from numbatch.kernels.team import CPUS, TEAM_SIZE, THREADS
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

_NOTHING = np.zeros(1, np.float32)


def _cpu_set() -> npt.NDArray[np.int64]:
    """Return the processors that this process may use, a bit for each, as `numbatch.kernels.placement` takes them."""
    bits = np.zeros(64 * CPU_SET_SIZE, np.uint8)
    if hasattr(os, "sched_getaffinity"):
        bits[[cpu for cpu in os.sched_getaffinity(0) if cpu < len(bits)]] = 1
    return np.packbits(bits, bitorder="little").view(np.int64)


class Team:
    """Threads that help whoever runs a batch.

    Parameters
    ----------
    threads : int
        How many work on a batch, with the caller: 1 or more.

    Attributes
    ----------
    table : ndarray of int64
        What `numbatch.kernels.program.run_network` takes.
    threads : int
        As given.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.table: npt.NDArray[np.int64] = aligned_zeros(2 * TEAM_SIZE).view(np.int64)
        if threads > 1:
            run_network.prepare()
        self.table[THREADS] = threads
        self.table[CPUS : CPUS + CPU_SET_SIZE] = _cpu_set()
        # Daemons: they hold nothing that the end of the process does not free.
        self._helpers = [
            threading.Thread(target=self._help, name=f"numbatch-helper-{i}", daemon=True) for i in range(1, threads)
        ]
        for helper in self._helpers:
            helper.start()

    def _help(self) -> None:
        if _helpers_niceness and sys.platform == "linux":  # elsewhere it would be the whole process
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _helpers_niceness)
        run_network(self.table, _NOTHING, _NOTHING, SERVE, _NOTHING, self.table)

    def dismiss(self) -> None:
        """Let the helpers end, once they have finished the shares that they are at."""
        self.table[THREADS] = 1
        run_network(self.table, _NOTHING, _NOTHING, DISMISS, _NOTHING, self.table)
        for helper in self._helpers:
            helper.join()


# The team of whoever works alone.
NOBODY = Team(1)

_helpers_niceness = 0

_lock = threading.Lock()
_team: Team | None = None
_chosen = 0  # the number that was set; 0: none was


def compute_team() -> Team:
    """Return the team of this process; made on first use, of as many threads as there are processors."""
    global _team
    if _team is None:
        with _lock:
            if _team is None:
                _team = Team(_chosen or min(available_cpus(), MOST_THREADS))
    return _team


def compute_threads() -> int:
    """Return how many threads work on a large batch, with the one that calls."""
    return compute_team().threads


def set_compute_threads(threads: int) -> None:
    """Set how many threads work on a large batch, with the one that calls. It changes no bit.

    Parameters
    ----------
    threads : int
        1 to 256. Before this is called: as many as there are processors for this process, by its affinity and its
        cgroup's quota.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    global _team, _chosen
    if not isinstance(threads, int) or not 1 <= threads <= MOST_THREADS:
        raise error(Reason.INVALID_FIELD, field="threads", got=repr(threads), expected=f"1 to {MOST_THREADS}")
    with _lock:
        before, _team, _chosen = _team, Team(threads), threads
    if before is not None:
        before.dismiss()


def set_helpers_niceness(niceness: int) -> None:
    """Let the helpers of teams that are made from now on stand back for the other threads of the machine.

    A server wants that: with as many threads that compute as processors, its event loop would have to wait for one of
    them before it answers anybody. Helpers hold no interpreter lock, so nobody waits for them but the batch.

    Parameters
    ----------
    niceness : int
        0 to 19. Linux alone has it for each thread; elsewhere it has no effect.
    """
    global _helpers_niceness
    _helpers_niceness = niceness


def _forget() -> None:
    """Forget the team in a process that was forked: its threads are not there. One as large is made when needed."""
    global _team, _lock
    _team, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
