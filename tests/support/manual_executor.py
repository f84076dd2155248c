"""An executor that runs a job when the test says so."""

import queue
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ManualExecutor(Executor):
    """Keeps jobs until `run_next`; jobs cancelled before that do not run, as with any executor."""

    def __init__(self) -> None:
        self._jobs: queue.Queue[tuple[Future[Any], Callable[[], Any]]] = queue.Queue()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self._jobs.put((future, lambda: fn(*args, **kwargs)))
        return future

    @property
    def waiting(self) -> int:
        """How many jobs have not been taken by `run_next`."""
        return self._jobs.qsize()

    def run_next(self) -> bool:
        """Wait for a job, run it, and return whether it ran: False if it had been cancelled."""
        future, job = self._jobs.get(timeout=10)
        if not future.set_running_or_notify_cancel():
            return False
        try:
            future.set_result(job())
        except Exception as problem:
            future.set_exception(problem)
        return True
