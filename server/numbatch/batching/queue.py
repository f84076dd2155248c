"""The queue: which requests may wait, which run next and together. It decides, and touches neither threads nor clocks.

Requests are in groups; those of a group can run together. Where a thread is idle, the group runs whose first request
is the most urgent, and of equally urgent ones the oldest, at once or, where its limits allow a delay, when it is full
or the delay is over. Of a group, as many requests run together as fit, in the order of urgency, then arrival; a
request that does not fit any more waits for the next batch, and nothing overtakes it. One with more rows than fit a
batch runs in pieces.
"""

import math
from collections.abc import Hashable, Mapping
from typing import NamedTuple

from numbatch.batching.limits import BatchLimits, Refusal
from numbatch.batching.request import Batch, Group, Line, Part, Priority, Request, State

# The bounds of what refused requests are told to wait.
_SOONEST_RETRY_S, _LATEST_RETRY_S = 0.01, 5.0

# Of the time that its caller gives it, a request may wait so much: the way back takes time, too, and more of it the
# busier a server is. At three times the capacity, 55 to 272 requests of a run of three seconds were admitted and came
# too late without this; with it, on a quiet machine, none.
_MOST_OF_THE_TIME = 0.6

# Before so many batches of a group ran, what is foretold of it refuses nobody.
_BATCHES_TO_TRUST = 8


class ModelStatistics(NamedTuple):
    """How it stands with the requests of one model."""

    queued_requests: int
    queued_rows: int
    queued_bytes: int
    in_flight: int


class QueueStatistics(NamedTuple):
    """How it stands with a queue: by model, and the bytes of all requests in flight."""

    models: Mapping[Hashable, ModelStatistics]
    bytes_in_flight: int


class _Account:
    """What a model has waiting and in flight."""

    __slots__ = ("in_flight", "queued_bytes", "queued_requests", "queued_rows")

    def __init__(self) -> None:
        self.queued_requests = self.queued_rows = self.queued_bytes = self.in_flight = 0


class Queue:
    """Requests that wait, and what is known of those that run.

    Parameters
    ----------
    max_bytes_in_flight : int
        Most bytes of all requests that wait or run.
    threads : int
        How many batches run at a time; only for what is foretold.
    """

    def __init__(self, *, max_bytes_in_flight: int, threads: int = 1) -> None:
        self._max_bytes_in_flight = max_bytes_in_flight
        self._threads = threads
        self._bytes_in_flight = 0
        self._accounts: dict[Hashable, _Account] = {}
        self._waiting: dict[Group, None] = {}
        self._running: dict[int, Batch] = {}

    def offer(self, request: Request, now: float) -> Refusal | None:
        """Let a request wait, or say why it may not."""
        group = request.group
        account = self._accounts.get(group.model)
        if account is None:
            account = self._accounts[group.model] = _Account()
        refusal = self._refusal(request, account, now)
        if refusal is not None:
            if not account.in_flight:
                del self._accounts[group.model]
            return refusal
        request.state = State.IN_FLIGHT
        request.arrived = now
        self._bytes_in_flight += request.size_bytes
        account.in_flight += 1
        account.queued_requests += 1
        account.queued_rows += request.rows
        account.queued_bytes += request.size_bytes
        _count(request, request.rows)
        group.lines[request.priority][request] = None
        self._waiting[group] = None
        return None

    def take(self, now: float) -> tuple[Batch | None, list[Request]]:
        """Return the batch to run now, if there is one, and the requests that ended because their time was over."""
        expired: list[Request] = []
        for group in list(self._waiting):
            for line in group.lines:
                self._first_in_time(line, now, expired)
        group_to_run = self._next(now)
        if group_to_run is None:
            return None, expired
        parts, rows = self._fill(group_to_run, now, expired)
        batch = Batch(group_to_run, parts, rows, now)
        self._running[id(batch)] = batch
        return batch, expired

    def finish(self, batch: Batch, now: float, problem: BaseException | None = None) -> list[Request]:
        """Take note that a batch has run or failed; return the requests that ended with it."""
        del self._running[id(batch)]
        seconds = now - batch.began
        if problem is None:
            batch.group.cost.learn(batch.rows, seconds)
        ended = []
        for request, start, stop in batch.parts:
            request.done += stop - start
            request.compute_s += seconds
            if request.state is State.ENDED:
                if not request.is_running:
                    self._release(request)  # it was withdrawn meanwhile, or another of its parts failed
                continue
            if problem is not None:
                request.problem = problem
                self._leave(request)
            elif request.done < request.rows:
                continue
            request.state = State.ENDED
            ended.append(request)
            if not request.is_running:
                self._release(request)
        return ended

    def may_pass(self, group: Group, rows: int, quick_s: float) -> bool:
        """Return whether a request may run at once, uncounted: nothing waits, and it is known to take less time.

        It is over before another comes, so no limit is for it.
        """
        cost, (most, delay_s, *_) = group.cost, group.limits
        return not self._waiting and cost.batches > 0 and rows <= most and not delay_s and cost.of(rows, most) < quick_s

    def withdraw(self, request: Request) -> bool:
        """Let go of a request that nobody waits for any more; return whether it was still in flight.

        What of it runs already is not stopped, but its result is of no interest.
        """
        if request.state is not State.IN_FLIGHT:
            return False
        request.state = State.ENDED
        self._leave(request)
        if not request.is_running:
            self._release(request)
        return True

    def ripe_at(self) -> float:
        """Return when the next batch may run: a time that has passed if one may now; inf if nothing waits."""
        return min((self._ripe_at(group) for group in self._waiting), default=math.inf)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return not self._waiting

    @property
    def statistics(self) -> QueueStatistics:
        """How it stands with the queue."""
        models = {
            model: ModelStatistics(each.queued_requests, each.queued_rows, each.queued_bytes, each.in_flight)
            for model, each in self._accounts.items()
        }
        return QueueStatistics(models, self._bytes_in_flight)

    def _refusal(self, request: Request, account: _Account, now: float) -> Refusal | None:
        limits: BatchLimits = request.group.limits
        rows, size = account.queued_rows + request.rows, account.queued_bytes + request.size_bytes
        in_flight, in_all = account.in_flight + 1, self._bytes_in_flight + request.size_bytes
        # A request that is alone may be larger than what may wait: it is in the memory already.
        if account.queued_requests:
            if rows > limits.max_queued_rows:
                return self._refuse("max_queued_rows", rows, limits.max_queued_rows, now)
            if size > limits.max_queued_bytes:
                return self._refuse("max_queued_bytes", size, limits.max_queued_bytes, now)
        if in_flight > limits.max_in_flight:
            return self._refuse("max_in_flight", in_flight, limits.max_in_flight, now)
        if self._bytes_in_flight and in_all > self._max_bytes_in_flight:
            return self._refuse("max_bytes_in_flight", in_all, self._max_bytes_in_flight, now)
        if request.deadline != math.inf and request.group.cost.batches >= _BATCHES_TO_TRUST:
            wait, most = self._wait_s(request, now), _MOST_OF_THE_TIME * (request.deadline - now)
            if wait > most:
                return Refusal("deadline", wait, most, min(max(wait - most, _SOONEST_RETRY_S), _LATEST_RETRY_S))
        return None

    def _refuse(self, limit: str, got: float, most: float, now: float) -> Refusal:
        busy_s = self._busy_s(now) + sum(self._queued_s(group) for group in self._waiting)
        return Refusal(limit, got, most, min(max(busy_s / 2, _SOONEST_RETRY_S), _LATEST_RETRY_S))

    def _wait_s(self, request: Request, now: float) -> float:
        """Foretell when a request that comes now would be answered, in seconds from now."""
        if not self._waiting and not self._running:
            return 0.0  # what was learned is from batches of other sizes: without a queue it refuses nobody
        ahead = sum(self._queued_s(group, request.priority) for group in self._waiting)
        most = request.group.limits.max_batch_size
        return self._busy_s(now) + ahead / self._threads + request.group.cost.of(request.rows, most)

    def _busy_s(self, now: float) -> float:
        """Foretell how long all threads will be busy with what runs."""
        if len(self._running) < self._threads:
            return 0.0
        ends = (
            batch.began + batch.group.cost.of(batch.rows, batch.group.limits.max_batch_size) - now
            for batch in self._running.values()
        )
        return max(0.0, min(ends))

    def _queued_s(self, group: Group, priority: Priority = Priority.NORMAL) -> float:
        """Foretell how long what waits of a group takes, as far as it is at least so urgent."""
        rows = group.urgent_rows if priority is Priority.HIGH else group.rows
        return group.cost.of(rows, group.limits.max_batch_size)

    def _next(self, now: float) -> Group | None:
        """Return the group to run: of those that may run now, the one whose first request comes first."""
        if len(self._waiting) == 1:
            (group,) = self._waiting
            return group if self._ripe_at(group) <= now else None
        ripe = [group for group in self._waiting if self._ripe_at(group) <= now]
        return min(ripe, key=_rank, default=None)

    def _ripe_at(self, group: Group) -> float:
        limits = group.limits
        if not limits.max_queue_delay_s or group.rows >= limits.max_batch_size:
            return -math.inf
        heads = [next(iter(line)) for line in group.lines if line]
        # Late enough to be of use to the others, early enough to be of use to itself.
        return min(
            min(
                head.arrived + limits.max_queue_delay_s,
                head.deadline - group.cost.of(group.rows, limits.max_batch_size),
            )
            for head in heads
        )

    def _fill(self, group: Group, now: float, expired: list[Request]) -> tuple[list[Part], int]:
        parts: list[Part] = []
        room = most = group.limits.max_batch_size
        for line in group.lines:
            while room and (request := self._first_in_time(line, now, expired)) is not None:
                left = request.rows - request.taken
                if left > room and parts:
                    return parts, most - room
                count = min(left, room)
                parts.append(Part(request, request.taken, request.taken + count))
                room -= count
                self._take_rows(request, count, now)
        return parts, most - room

    def _first_in_time(self, line: Line, now: float, expired: list[Request]) -> Request | None:
        """Return the first request of a line, once those before it have ended whose time is over."""
        while line:
            request = next(iter(line))
            if request.deadline > now or request.is_running:
                return request
            self.withdraw(request)
            request.expired = True
            expired.append(request)
        return None

    def _take_rows(self, request: Request, count: int, now: float) -> None:
        account = self._accounts[request.group.model]
        account.queued_rows -= count
        _count(request, -count)
        request.taken += count
        if request.began is None:
            request.began = now
        if request.taken == request.rows:
            self._drop_from_line(request)

    def _leave(self, request: Request) -> None:
        """Take what still waits of a request out of the queue."""
        left = request.rows - request.taken
        if left:
            self._accounts[request.group.model].queued_rows -= left
            _count(request, -left)
            self._drop_from_line(request)

    def _drop_from_line(self, request: Request) -> None:
        account, group = self._accounts[request.group.model], request.group
        account.queued_requests -= 1
        account.queued_bytes -= request.size_bytes
        del group.lines[request.priority][request]
        if not any(group.lines):
            del self._waiting[group]

    def _release(self, request: Request) -> None:
        """Give back what a request had in flight."""
        self._bytes_in_flight -= request.size_bytes
        account = self._accounts[request.group.model]
        account.in_flight -= 1
        if not account.in_flight:
            del self._accounts[request.group.model]


def _count(request: Request, rows: int) -> None:
    """Count rows of a request as waiting, or no longer."""
    request.group.rows += rows
    if request.priority is Priority.HIGH:
        request.group.urgent_rows += rows


def _rank(group: Group) -> tuple[int, float]:
    high, normal = group.lines
    head = next(iter(high or normal))
    return head.priority, head.arrived
