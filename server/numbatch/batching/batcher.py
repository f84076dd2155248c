"""The queue as threads share it: a lock, threads that run what it says, and one message for each batch that ran."""

import logging
import threading
import time
from collections.abc import Callable, Sequence

from numbatch.batching.limits import Refusal
from numbatch.batching.queue import Queue, QueueStatistics
from numbatch.batching.report import BatchReport
from numbatch.batching.request import Batch, Group, Request

_log = logging.getLogger(__name__)

# Tells of the requests that ended, and of the batch with which they did, if it was one.
Tell = Callable[[Sequence[Request], BatchReport | None], None]


class Batcher:
    """Runs requests in batches. All methods may be called from any thread.

    Parameters
    ----------
    queue : Queue
        Decides. From now on it belongs to the batcher.
    tell : callable
        Called once for each batch, on the thread that ran it.
    threads : int
        How many threads run batches. 0: only those that call `run_next`.
    clock : callable
        Returns the seconds that deadlines are on.
    """

    def __init__(
        self, queue: Queue, tell: Tell, *, threads: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._queue = queue
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run_until_closed, name=f"numbatch-compute-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def may_pass(self, group: Group, rows: int, quick_s: float) -> bool:
        """Return whether a request may run at once, past the queue: nothing waits, and it is known to take less time.

        Whoever runs it says so with `passed`.
        """
        return self._queue.may_pass(group, rows, quick_s)

    def passed(self, group: Group, rows: int, seconds: float) -> None:
        """Take note of how long a request took that ran past the queue."""
        with self._lock:
            group.cost.learn(rows, seconds)

    def submit(self, request: Request) -> Refusal | None:
        """Let a request wait, or say why it may not. It runs once `dispatch` is called."""
        with self._lock:
            return self._queue.offer(request, self._clock())

    def withdraw(self, request: Request) -> bool:
        """Let go of a request that nobody waits for any more; return whether it was still in flight."""
        with self._lock:
            return self._queue.withdraw(request)

    def dispatch(self) -> None:
        """Have a thread run what waits."""
        with self._work:
            self._work.notify()

    def run_next(self, *, wait: bool = False) -> bool:
        """Run the next batch, and return whether there was one.

        Parameters
        ----------
        wait : bool
            Whether to wait for one. False is then returned only once the batcher is closed and nothing waits.
        """
        with self._work:
            while True:
                batch, expired = self._queue.take(self._clock())
                if batch is not None or expired or not wait or (self._closed and self._queue.is_empty):
                    break
                remaining = self._queue.ripe_at() - self._clock()
                self._work.wait(None if remaining == float("inf") else max(remaining, 0.0))
        self._run(batch, expired)
        return batch is not None or bool(expired)

    @property
    def statistics(self) -> QueueStatistics:
        """How it stands with the queue."""
        with self._lock:
            return self._queue.statistics

    @property
    def is_alive(self) -> bool:
        """Whether all threads that run batches are there."""
        return all(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        """Let the threads end once they have run what waits, and wait for them."""
        with self._work:
            self._closed = True
            self._work.notify_all()
        for thread in self._threads:
            thread.join()

    def _run_until_closed(self) -> None:
        while self.run_next(wait=True):
            pass

    def _run(self, batch: Batch | None, ended: list[Request]) -> None:
        report = None
        if batch is not None:
            problem = _compute(batch)
            with self._lock:
                now = self._clock()
                ended += self._queue.finish(batch, now, problem)
            queue_s = [batch.began - part.request.arrived for part in batch.parts]
            group, seconds = batch.group, now - batch.began
            report = BatchReport(group.model, batch.rows, queue_s, seconds, problem is not None, group.version)
        if report is not None or ended:
            self._tell(ended, report)


def _compute(batch: Batch) -> BaseException | None:
    """Run a batch, and return what it raised: that is told to those who wait, and the next batch runs."""
    try:
        batch.group.run(batch.parts)
    except BaseException as raised:
        fields = {"rows": batch.rows, "model": batch.group.model}
        _log.exception("a batch of %(rows)d rows of %(model)s failed", fields)
        return raised
    return None
