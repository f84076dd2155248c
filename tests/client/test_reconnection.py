"""When a stream that broke is opened again: a table of times. No call, no server, no clock."""

import pytest

from numbatch.client._reconnection import Reconnection
from numbatch.wire.errors import NumbatchError, UnavailableError, error
from numbatch.wire.reasons import Reason

GONE = error(Reason.SERVER_UNREACHABLE)
DRAINING = error(Reason.SERVER_DRAINING)
LATER = 1000.0


def delays(reconnection: Reconnection, *, now: float = 0.0, deadline: float = LATER) -> list[float]:
    """Return the delays of a server that is gone for good."""
    found = list[float]()
    while (delay_s := reconnection.delay_s(GONE, now, deadline)) is not None:
        found.append(round(delay_s, 3))
        reconnection.opened(now)
    return found


def worked() -> Reconnection:
    reconnection = Reconnection(True, lambda: 0.0)
    reconnection.opened(0.0)
    reconnection.answered()
    return reconnection


def test_a_stream_that_worked_is_opened_again_at_once_then_ever_later_then_no_more() -> None:
    assert delays(worked()) == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0, 2.0]
    assert round(sum(delays(worked())), 1) == 11.1  # half of it at least, as they are made shorter at random


def test_a_stream_that_never_worked_is_tried_as_often_as_any_other_call() -> None:
    assert delays(Reconnection(True, lambda: 0.0)) == [0.1, 0.2]


def test_an_answer_gives_the_budget_back() -> None:
    reconnection = worked()
    first = delays(reconnection)
    reconnection.answered()
    assert delays(reconnection) == first


def test_an_answer_of_a_server_that_ends_is_none() -> None:
    reconnection = worked()
    first = delays(reconnection)
    with pytest.raises(UnavailableError):
        reconnection.accepted(DRAINING)
    assert delays(reconnection) == []
    refused = error(Reason.SHAPE_MISMATCH)
    assert reconnection.accepted(refused) is refused
    assert delays(reconnection) == first
    assert Reconnection(False).accepted(DRAINING) is DRAINING


def test_a_call_that_lived_long_gives_it_back_too_though_there_was_nothing_to_answer() -> None:
    reconnection = worked()
    first = delays(reconnection)
    assert reconnection.delay_s(GONE, 9.0, LATER) is None
    assert reconnection.delay_s(GONE, 10.0, LATER) == 0.0
    assert len(first) == 10


def test_no_call_is_opened_after_the_answer_is_due() -> None:
    assert delays(worked(), deadline=0.3) == [0.0, 0.1, 0.2]


def test_clients_that_were_cut_off_together_come_back_apart() -> None:
    reconnection = Reconnection(True, lambda: 0.999)
    reconnection.answered()
    assert delays(reconnection)[:4] == [0.0, 0.05, 0.1, 0.2]


@pytest.mark.parametrize(
    "final",
    [
        error(Reason.MODEL_NOT_READY),
        error(Reason.UNAUTHENTICATED),
        error(Reason.SERVER_OVERLOADED),
        error(Reason.STREAM_STALLED),
        error(Reason.DEADLINE_EXCEEDED),
        error(Reason.INTERNAL),
    ],
)
def test_what_another_call_would_meet_too_is_final(final: NumbatchError) -> None:
    assert worked().delay_s(final, 0.0, LATER) is None


@pytest.mark.parametrize("passing", [GONE, DRAINING, error(Reason.CANCELLED)])
def test_nobody_reconnects_who_did_not_want_to(passing: NumbatchError) -> None:
    reconnection = Reconnection(False)
    reconnection.answered()
    assert reconnection.delay_s(passing, 0.0, LATER) is None
    assert worked().delay_s(passing, 0.0, LATER) == 0.0
