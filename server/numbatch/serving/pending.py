"""Requests that the core has taken: computed already, or yet to be."""

import asyncio
from collections.abc import Sequence

from numbatch.batching import Group, Priority, Request
from numbatch.engine.jobs import Job
from numbatch.wire.codec import NamedArray
from numbatch.wire.errors import NumbatchError


class Pending(Request):
    """A request that was admitted, and its answer to come.

    Attributes
    ----------
    version : int
        The version that answers.
    over : bool
        Whether the answer is there, or will never be.
    failure : NumbatchError or None
        Why there is none.
    """

    __slots__ = ("_waiter", "failure", "over", "version")

    def __init__(self, group: Group, job: Job, version: int, priority: Priority, deadline: float) -> None:
        super().__init__(group, job, job.rows, size_bytes=job.size_bytes, priority=priority, deadline=deadline)
        self.version = version
        self.over = False
        self.failure: NumbatchError | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def wait(self) -> Sequence[NamedArray]:
        """Wait for the answer: the outputs in the order asked for. At most one task may wait.

        Raises
        ------
        NumbatchError
            If the deadline passed before it was its turn, the batch failed, or the request was withdrawn.
        """
        if not self.over:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.failure is not None:
            raise self.failure
        job: Job = self.payload
        return job.outputs

    @property
    def queue_s(self) -> float:
        """How long it waited before it ran; 0 if it never did."""
        return 0.0 if self.began is None else self.began - self.arrived

    def end(self, failure: NumbatchError | None = None) -> None:
        """Let whoever waits go on."""
        self.over = True
        self.failure = failure
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Done:
    """A request that was computed at once.

    Attributes
    ----------
    job : Job
        Has the outputs.
    version : int
        The version that answered.
    rows : int
        Its examples.
    compute_s : float
        How long it took.
    """

    __slots__ = ("compute_s", "job", "rows", "version")

    queue_s = 0.0

    def __init__(self, job: Job, version: int, compute_s: float) -> None:
        self.job = job
        self.version = version
        self.rows = job.rows
        self.compute_s = compute_s

    @property
    def outputs(self) -> Sequence[NamedArray]:
        """The outputs in the order asked for."""
        return self.job.outputs
