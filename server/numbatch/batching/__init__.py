"""Dynamic batching: which requests wait, which run together and when, which are refused.

`queue.py` decides and touches neither threads nor clocks; `batcher.py` is what threads share of it. Neither knows what
a request contains: what runs a batch is given to them as a function.
"""

from numbatch.batching.batcher import Batcher
from numbatch.batching.limits import DEFAULT_LIMITS, BatchLimits, Refusal
from numbatch.batching.queue import Queue, QueueStatistics
from numbatch.batching.report import BatchReport
from numbatch.batching.request import Group, Part, Priority, Request

__all__ = [
    "DEFAULT_LIMITS",
    "BatchLimits",
    "BatchReport",
    "Batcher",
    "Group",
    "Part",
    "Priority",
    "Queue",
    "QueueStatistics",
    "Refusal",
    "Request",
]
