"""An executor that runs a job when the test says so."""

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """Work that was given to the executor and has not run."""

    work: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)

    def run(self) -> bool:
        """Run it, and return whether it ran: False if it had been cancelled."""
        if not self.future.set_running_or_notify_cancel():
            return False
        try:
            self.future.set_result(self.work())
        except Exception as problem:
            self.future.set_exception(problem)
        return True

    def wait_cancelled(self) -> None:
        """Wait until whoever asked for it has no more use for it."""
        ended = threading.Event()
        self.future.add_done_callback(lambda _: ended.set())
        assert ended.wait(10)
        assert self.future.cancelled()


class ManualExecutor(Executor):
    """Keeps jobs until the test takes them."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[Job] = queue.Queue()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        job = Job(lambda: fn(*args, **kwargs))
        self._jobs.put(job)
        return job.future

    @property
    def waiting(self) -> int:
        """How many jobs have not been taken."""
        return self._jobs.qsize()

    def next_job(self) -> Job:
        """Wait for a job, and take it."""
        return self._jobs.get(timeout=10)
