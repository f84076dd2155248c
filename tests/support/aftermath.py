"""What is left of a server after something went wrong: it must be as it was before."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from support.http import get
from support.raw_calls import INFER, infer_request, raw_calls
from support.reports import Samples, samples
from support.server import RunningServer

# How long a server may take to clean up; it takes milliseconds, unless it never does.
_SETTLE_S = 10.0
_LOOK_EVERY_S = 0.01
# Equal looks one after the other before the levels count as at rest.
_AT_REST = 5

# Nothing of these is left when nothing is asked for.
BUSY = (
    "numbatch_in_flight_requests",
    "numbatch_in_flight_bytes",
    "numbatch_queued_requests",
    "numbatch_queued_rows",
    "numbatch_queued_bytes",
    "numbatch_calls_in_progress",
    "numbatch_open_streams",
)


class Levels(NamedTuple):
    """What a server holds: files, tasks of its event loop, and what it has to do."""

    descriptors: int
    tasks: float
    busy: float


def settled(condition: Callable[[], bool], what: str) -> None:
    """Wait until a condition holds, as it must before long."""
    deadline = time.monotonic() + _SETTLE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(_LOOK_EVERY_S)


def metrics(http_address: str) -> Samples:
    """Return what a server says of itself."""
    answer = get(http_address, "/metrics")
    assert answer.status == 200
    return samples(answer.text)


def total(found: Samples, *names: str) -> float:
    """Return the sum over all labels."""
    return sum(value for (name, _), value in found.items() if name in names)


@contextmanager
def unharmed(address: str, http_address: str, pids: Sequence[int] = ()) -> Iterator[None]:
    """Check that a server is after the block as it was before: what it says, what it answers, and what it holds.

    Parameters
    ----------
    address, http_address : str
        Where it listens. It has the model "tiny".
    pids : sequence of int
        Its processes. Default: this one.
    """
    golden = _golden(address)
    before = _at_rest(http_address, pids)
    yield
    assert _golden(address) == golden, "the same request is answered differently"
    assert get(http_address, "/livez").status == 200
    deadline = time.monotonic() + _SETTLE_S
    while True:
        now = _levels(http_address, pids)
        if now.busy == 0 and now.descriptors <= before.descriptors and now.tasks <= before.tasks:
            return
        assert time.monotonic() < deadline, f"it held {before}, and holds {now}: {_what_is_busy(http_address)}"
        time.sleep(_LOOK_EVERY_S)


def unharmed_server(server: RunningServer) -> AbstractContextManager[None]:
    """Check a server of this process; it listens for HTTP."""
    return unharmed(server.address, server.server.http_address)


def _golden(address: str) -> bytes:
    """Return the bytes of an answer, over a connection of its own."""
    with raw_calls(address) as calls:
        assert calls.health() == calls.health("liveness") == "SERVING"
        return calls.unary(INFER, infer_request("tiny", [[0.1, -0.2], [3e-39, 1e30]], layers=["scaled", "positive"]))


def _levels(http_address: str, pids: Sequence[int]) -> Levels:
    found = metrics(http_address)
    descriptors = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids or (os.getpid(),))
    return Levels(descriptors, total(found, "numbatch_event_loop_tasks"), total(found, *BUSY))


def _at_rest(http_address: str, pids: Sequence[int]) -> Levels:
    """Wait until what came before has left."""
    seen: list[Levels] = []

    def is_at_rest() -> bool:
        seen.append(_levels(http_address, pids))
        return len(seen) >= _AT_REST and len(set(seen[-_AT_REST:])) == 1 and seen[-1].busy == 0

    settled(is_at_rest, f"the server does not come to rest: {seen[-_AT_REST:]}")
    return seen[-1]


def _what_is_busy(http_address: str) -> Samples:
    return {key: value for key, value in metrics(http_address).items() if key[0] in BUSY and value}
