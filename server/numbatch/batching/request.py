"""What waits: requests, in groups of those that can run together."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from enum import Enum, IntEnum
from typing import Any, NamedTuple, TypeAlias

from numbatch.batching.cost import Cost
from numbatch.batching.limits import DEFAULT_LIMITS, BatchLimits

# Requests in the order of their arrival. In an OrderedDict one in the middle leaves at the cost of one at an end.
Line: TypeAlias = "OrderedDict[Request, None]"


class Priority(IntEnum):
    """How urgent a request is; the lower number runs first."""

    HIGH = 0
    NORMAL = 1


class State(Enum):
    """Where a request stands. It ends once."""

    NEW = "new"
    IN_FLIGHT = "in flight"
    ENDED = "ended"


class Group:
    """Requests that can run together.

    Parameters
    ----------
    model : hashable
        Whose limits count: those of all groups of a model together.
    run : callable
        Runs a batch: takes its parts, and leaves the results with what their requests brought.
    limits : BatchLimits
        How its requests are batched.
    version : int
        Which version of the model it is, for whoever is told of its batches.
    """

    __slots__ = ("cost", "limits", "lines", "model", "rows", "run", "urgent_rows", "version")

    def __init__(
        self,
        model: Hashable,
        run: Callable[[Sequence["Part"]], object],
        limits: BatchLimits = DEFAULT_LIMITS,
        version: int = 0,
    ) -> None:
        self.model = model
        self.version = version
        self.run = run
        self.limits = limits
        self.cost = Cost()
        # One for each priority.
        self.lines: tuple[Line, ...] = tuple(OrderedDict() for _ in Priority)
        # What waits in all lines, and in that of the urgent ones.
        self.rows = self.urgent_rows = 0


class Request:
    """One minibatch: rows that are answered together, in their order.

    Parameters
    ----------
    group : Group
        With what it can run.
    payload : object
        What it brings, for the group's `run`.
    rows : int
        How many: 1 or more.
    size_bytes : int
        The memory that it takes while it waits or runs.
    priority : Priority
        How urgent it is.
    deadline : float
        From then on nobody waits for the answer; on the clock that the queue is told.

    Attributes
    ----------
    arrived : float
        When it was offered to the queue.
    began : float or None
        When its first rows were taken to run.
    compute_s : float
        How long the batches ran that it was part of.
    problem : BaseException or None
        What `run` raised.
    expired : bool
        Whether it ended because its deadline had passed before it ran.
    """

    __slots__ = (
        "arrived",
        "began",
        "compute_s",
        "deadline",
        "done",
        "expired",
        "group",
        "payload",
        "priority",
        "problem",
        "rows",
        "size_bytes",
        "state",
        "taken",
    )

    def __init__(
        self,
        group: Group,
        payload: Any,
        rows: int,
        *,
        size_bytes: int = 0,
        priority: Priority = Priority.NORMAL,
        deadline: float = float("inf"),
    ) -> None:
        self.group = group
        self.payload = payload
        self.rows = rows
        self.size_bytes = size_bytes
        self.priority = priority
        self.deadline = deadline
        self.arrived = 0.0
        self.began: float | None = None
        self.compute_s = 0.0
        self.taken = self.done = 0  # rows given to batches, and rows that have come back
        self.problem: BaseException | None = None
        self.expired = False
        self.state = State.NEW

    @property
    def is_running(self) -> bool:
        """Whether rows of it are in a batch."""
        return self.taken > self.done


class Part(NamedTuple):
    """Rows of a request that are in a batch."""

    request: Request
    start: int
    stop: int


class Batch(NamedTuple):
    """What runs together.

    Attributes
    ----------
    group : Group
        Of all its requests.
    parts : list of Part
        Not empty.
    rows : int
        Of all parts.
    began : float
        When it was taken.
    """

    group: Group
    parts: list[Part]
    rows: int
    began: float
