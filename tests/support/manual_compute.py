"""Stands in for the batcher, and runs a request when the test says so: alone, and in any order."""

import queue
import threading
from collections.abc import Sequence
from typing import Self

from numbatch.batching import BatchReport, Group, Part, QueueStatistics, Refusal, Request
from numbatch.batching.batcher import Tell


class Job:
    """A request that was submitted and has not run."""

    def __init__(self, request: Request, tell: Tell) -> None:
        self.request = request
        self._tell = tell
        self._withdrawn = threading.Event()

    def run(self) -> bool:
        """Run it, and return whether it ran: False if nobody waits for it any more."""
        if self._withdrawn.is_set():
            return False
        try:
            self.request.group.run([Part(self.request, 0, self.request.rows)])
        except Exception as problem:
            self.fail(problem)
            return True
        self._end()
        return True

    def fail(self, problem: BaseException) -> None:
        """Let it fail as if the batch had raised."""
        self.request.problem = problem
        self._end()

    def expire(self) -> None:
        """Let it end as if its deadline had passed while it waited."""
        self.request.expired = True
        self._end()

    def wait_cancelled(self) -> None:
        """Wait until whoever asked for it has no more use for it."""
        assert self._withdrawn.wait(10)

    def withdraw(self) -> None:
        self._withdrawn.set()

    def _end(self) -> None:
        request = self.request
        self._tell([request], BatchReport(request.group.model, request.rows, [0.0], 0.0, request.problem is not None))


class ManualCompute:
    """Keeps requests until the test takes them. Give it to a server as its `compute`."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job] = queue.Queue()
        self._known: dict[Request, Job] = {}
        self._tell: Tell = lambda ended, report: None
        self.refusal: Refusal | None = None

    def __call__(self, tell: Tell) -> Self:
        """Be the compute of a server."""
        self._tell = tell
        return self

    def may_pass(self, group: Group, rows: int, quick_s: float) -> bool:
        """Let nothing run: the test does."""
        return False

    def passed(self, group: Group, rows: int, seconds: float) -> None:
        """Do nothing: nothing passes."""

    def submit(self, request: Request) -> Refusal | None:
        if self.refusal is None:
            job = self._known[request] = Job(request, self._end)
            self._jobs.put(job)
        return self.refusal

    def withdraw(self, request: Request) -> bool:
        job = self._known.pop(request, None)
        if job is not None:
            job.withdraw()
        return job is not None

    def dispatch(self) -> None:
        """Do nothing: the test does."""

    @property
    def statistics(self) -> QueueStatistics:
        return QueueStatistics({}, 0)

    @property
    def is_alive(self) -> bool:
        return True

    def close(self) -> None:
        """Do nothing: there are no threads."""

    def _end(self, ended: Sequence[Request], report: BatchReport | None) -> None:
        for request in ended:
            self._known.pop(request, None)
        self._tell(ended, report)

    @property
    def waiting(self) -> int:
        """How many jobs have not been taken."""
        return self._jobs.qsize()

    def next_job(self) -> Job:
        """Wait for a job, and take it."""
        return self._jobs.get(timeout=10)
