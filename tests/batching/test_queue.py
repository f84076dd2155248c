"""Which requests wait, which run together and when: decided on paper, with time as a number."""

import math
from typing import Any

import pytest

from numbatch.batching import BatchLimits, Group, Priority, Queue, Refusal, Request
from numbatch.batching.request import Batch

MIB = 2**20


def queue(*, max_bytes_in_flight: int = 100 * MIB, threads: int = 1) -> Queue:
    return Queue(max_bytes_in_flight=max_bytes_in_flight, threads=threads)


def group(model: str = "m", **limits: Any) -> Group:
    return Group(model, lambda parts: None, BatchLimits(**limits))


def offered(to: Queue, request: Request, now: float = 0.0) -> Request:
    assert to.offer(request, now) is None
    return request


def taken(from_queue: Queue, now: float = 0.0) -> list[tuple[Request, int, int]]:
    """Take a batch that must be there, and finish it after a second: its parts."""
    batch, _ = from_queue.take(now)
    assert batch is not None
    from_queue.finish(batch, now + 1.0)
    return [tuple(part) for part in batch.parts]  # type: ignore[misc]


def taught(rows: int, seconds: float, **limits: Any) -> Group:
    """Return a group that knows what its batches take."""
    known = group(**limits)
    for _ in range(10):
        known.cost.learn(rows, seconds)
    return known


def begun(in_queue: Queue, now: float = 0.0) -> Batch:
    batch, _ = in_queue.take(now)
    assert batch is not None
    return batch


def test_what_waits_runs_together_in_the_order_of_arrival() -> None:
    waiting, tiny = queue(), group()
    first, second = (offered(waiting, Request(tiny, None, rows), now) for now, rows in enumerate([2, 3]))
    assert taken(waiting, 2.0) == [(first, 0, 2), (second, 0, 3)]
    assert waiting.take(3.0) == (None, [])


def test_a_batch_is_full_where_the_next_request_does_not_fit_and_nothing_overtakes_it() -> None:
    waiting, tiny = queue(), group(max_batch_size=4)
    first, second, third = (offered(waiting, Request(tiny, None, rows)) for rows in (3, 2, 1))
    assert taken(waiting) == [(first, 0, 3)]
    assert taken(waiting) == [(second, 0, 2), (third, 0, 1)]


def test_a_request_of_more_rows_than_a_batch_runs_in_pieces_and_its_rest_with_others() -> None:
    waiting, tiny = queue(), group(max_batch_size=4)
    large, small = (offered(waiting, Request(tiny, None, rows)) for rows in (10, 2))
    assert taken(waiting) == [(large, 0, 4)]
    assert taken(waiting) == [(large, 4, 8)]
    assert taken(waiting) == [(large, 8, 10), (small, 0, 2)]
    assert waiting.is_empty


def test_a_request_in_pieces_ends_with_its_last_piece() -> None:
    waiting, tiny = queue(threads=2), group(max_batch_size=4)
    large = offered(waiting, Request(tiny, None, 8))
    first, second = begun(waiting), begun(waiting)
    assert waiting.finish(second, 1.0) == []
    assert waiting.finish(first, 2.0) == [large]
    assert large.compute_s == 3.0


def test_urgent_requests_run_first_and_the_others_in_what_room_is_left() -> None:
    waiting, tiny = queue(), group(max_batch_size=3)
    normal = [offered(waiting, Request(tiny, None, 1)) for _ in range(3)]
    high = [offered(waiting, Request(tiny, None, 1, priority=Priority.HIGH)) for _ in range(2)]
    assert taken(waiting) == [(high[0], 0, 1), (high[1], 0, 1), (normal[0], 0, 1)]


def test_of_several_groups_the_one_with_the_most_urgent_then_the_oldest_request_runs() -> None:
    waiting = queue()
    old, new, urgent = (group(name) for name in ("old", "new", "urgent"))
    a = offered(waiting, Request(old, None, 1), 1.0)
    b = offered(waiting, Request(new, None, 1), 2.0)
    c = offered(waiting, Request(urgent, None, 1, priority=Priority.HIGH), 3.0)
    assert [taken(waiting, 4.0) for _ in range(3)] == [[(c, 0, 1)], [(a, 0, 1)], [(b, 0, 1)]]


def test_without_a_delay_an_idle_thread_takes_what_there_is() -> None:
    waiting, tiny = queue(), group()
    offered(waiting, Request(tiny, None, 1), 5.0)
    assert waiting.ripe_at() == -math.inf
    assert waiting.take(5.0)[0] is not None


@pytest.mark.parametrize(
    ("now", "runs"),
    [
        (0.009, False),  # the delay of the first is not over
        (0.010, True),
    ],
)
def test_with_a_delay_a_batch_waits_for_more_until_the_delay_of_the_first_is_over(now: float, runs: bool) -> None:
    waiting, tiny = queue(), group(max_queue_delay_s=0.010)
    offered(waiting, Request(tiny, None, 1), 0.0)
    offered(waiting, Request(tiny, None, 1), 0.005)
    assert waiting.ripe_at() == 0.010
    assert (waiting.take(now)[0] is not None) is runs


def test_a_full_batch_does_not_wait_for_its_delay() -> None:
    waiting, tiny = queue(), group(max_batch_size=2, max_queue_delay_s=1.0)
    for _ in range(2):
        offered(waiting, Request(tiny, None, 1), 0.0)
    assert begun(waiting, 0.0).rows == 2


def test_a_delay_leaves_time_to_compute_before_the_deadline() -> None:
    waiting, tiny = queue(), taught(1, 0.25, max_queue_delay_s=10.0)
    offered(waiting, Request(tiny, None, 1, deadline=1.0), 0.0)
    assert waiting.ripe_at() == 0.75


def test_a_request_whose_deadline_has_passed_ends_without_running() -> None:
    waiting, tiny = queue(), group()
    late = offered(waiting, Request(tiny, None, 1, deadline=1.0))
    in_time = offered(waiting, Request(tiny, None, 1, deadline=2.0))
    batch, expired = waiting.take(1.0)
    assert batch is not None
    assert ([part.request for part in batch.parts], expired, late.expired) == ([in_time], [late], True)


def test_a_withdrawn_request_does_not_run() -> None:
    waiting, tiny = queue(), group()
    gone, stays = (offered(waiting, Request(tiny, None, 1)) for _ in range(2))
    assert waiting.withdraw(gone)
    assert not waiting.withdraw(gone)
    assert taken(waiting) == [(stays, 0, 1)]


def test_a_request_withdrawn_while_it_runs_is_in_flight_until_its_batch_ends_and_is_not_answered() -> None:
    waiting, tiny = queue(), group(max_batch_size=4)
    gone = offered(waiting, Request(tiny, None, 8, size_bytes=7))
    batch = begun(waiting)
    assert waiting.withdraw(gone)
    assert waiting.is_empty  # the second piece never runs
    assert waiting.statistics.bytes_in_flight == 7
    assert waiting.finish(batch, 1.0) == []
    assert waiting.statistics == ({}, 0)


def test_a_batch_that_fails_ends_all_its_requests_with_the_problem_and_no_other() -> None:
    waiting, tiny = queue(), group(max_batch_size=4)
    large, other = offered(waiting, Request(tiny, None, 6)), offered(waiting, Request(tiny, None, 2))
    problem = ZeroDivisionError()
    assert waiting.finish(begun(waiting), 1.0, problem) == [large]
    assert large.problem is problem
    assert taken(waiting) == [(other, 0, 2)]


@pytest.mark.parametrize(
    ("limits", "refused"),
    [
        ({"max_queued_rows": 5}, Refusal("max_queued_rows", 6, 5, 0.01)),
        ({"max_queued_bytes": 59}, Refusal("max_queued_bytes", 60, 59, 0.01)),
        ({"max_in_flight": 1}, Refusal("max_in_flight", 2, 1, 0.01)),
    ],
)
def test_a_full_queue_refuses_and_names_the_limit(limits: dict[str, Any], refused: Refusal) -> None:
    waiting, tiny = queue(), group(**limits)
    offered(waiting, Request(tiny, None, 4, size_bytes=40))
    before = waiting.statistics
    assert waiting.offer(Request(tiny, None, 2, size_bytes=20), 0.0) == refused
    assert waiting.statistics == before


def test_a_limit_is_that_of_a_model_whatever_the_layers_that_are_asked_for() -> None:
    waiting, outputs, hidden, other = queue(), group(max_in_flight=1), group(max_in_flight=1), group("other")
    offered(waiting, Request(outputs, None, 1))
    assert waiting.offer(Request(hidden, None, 1), 0.0) == Refusal("max_in_flight", 2, 1, 0.01)
    offered(waiting, Request(other, None, 1))


def test_the_bytes_of_all_models_together_are_limited() -> None:
    waiting, one, other = queue(max_bytes_in_flight=100), group("one"), group("other")
    offered(waiting, Request(one, None, 1, size_bytes=60))
    assert waiting.offer(Request(other, None, 1, size_bytes=41), 0.0) == Refusal("max_bytes_in_flight", 101, 100, 0.01)
    taken(waiting)
    offered(waiting, Request(other, None, 1, size_bytes=41))


def test_a_request_larger_than_the_queue_is_taken_where_nothing_waits() -> None:
    waiting, tiny = queue(max_bytes_in_flight=10), group(max_queued_rows=5, max_queued_bytes=10)
    offered(waiting, Request(tiny, None, 50, size_bytes=500))


def test_a_wait_beyond_the_deadline_is_refused_at_once() -> None:
    waiting, slow = queue(), taught(1, 0.1, max_batch_size=1)
    for _ in range(3):
        offered(waiting, Request(slow, None, 1))
    begun(waiting, 0.0)
    # 0.05 s of the batch that runs, 0.2 s of the two that wait, 0.1 s of its own; six tenths of 0.5 s are 0.3 s.
    refusal = waiting.offer(Request(slow, None, 1, deadline=0.55), 0.05)
    assert refusal is not None
    assert refusal.limit == "deadline"
    assert (refusal.got, refusal.most) == pytest.approx((0.35, 0.30))
    assert refusal.retry_after_s == pytest.approx(0.05)
    offered(waiting, Request(slow, None, 1, deadline=0.66), 0.05)


def test_an_urgent_request_waits_for_urgent_ones_only() -> None:
    waiting, slow = queue(), taught(1, 0.1, max_batch_size=1)
    for _ in range(10):
        offered(waiting, Request(slow, None, 1))
    assert waiting.offer(Request(slow, None, 1, deadline=0.5), 0.0) is not None
    offered(waiting, Request(slow, None, 1, deadline=0.5, priority=Priority.HIGH))


def test_where_nothing_waits_no_prediction_refuses() -> None:
    waiting, slow = queue(), taught(1000, 100.0)
    offered(waiting, Request(slow, None, 1, deadline=0.001))


def test_a_refused_request_is_told_when_half_of_what_waits_may_be_done() -> None:
    waiting, slow = queue(), taught(1, 0.1, max_batch_size=1, max_queued_rows=8)
    for _ in range(8):
        offered(waiting, Request(slow, None, 1))
    refusal = waiting.offer(Request(slow, None, 1), 0.0)
    assert refusal is not None
    assert refusal.retry_after_s == pytest.approx(0.4)


def test_statistics_count_what_waits_and_what_is_in_flight() -> None:
    waiting, tiny = queue(), group(max_batch_size=4)
    for _ in range(2):
        offered(waiting, Request(tiny, None, 3, size_bytes=30))
    assert waiting.statistics == ({"m": (2, 6, 60, 2)}, 60)
    batch = begun(waiting)
    assert waiting.statistics == ({"m": (1, 3, 30, 2)}, 60)
    waiting.finish(batch, 1.0)
    assert waiting.statistics == ({"m": (1, 3, 30, 1)}, 30)


def test_a_batch_teaches_what_the_next_one_takes() -> None:
    waiting, tiny = queue(), group()
    offered(waiting, Request(tiny, None, 4))
    waiting.finish(begun(waiting, 0.0), 0.004)
    assert tiny.cost.of(2, 1024) == pytest.approx(0.002)


def test_a_request_that_is_known_to_be_quick_may_pass_an_empty_queue() -> None:
    assert queue().may_pass(taught(1, 0.001), 2, 0.003)


@pytest.mark.parametrize(
    ("known", "rows", "quick_s"),
    [
        (group(), 1, 1.0),  # nothing is known of it
        (taught(1, 0.001), 2, 0.002),  # it takes as long
        (taught(1, 0.001, max_batch_size=1), 2, 1.0),  # it runs in pieces
        (taught(1, 0.001, max_queue_delay_s=0.1), 1, 1.0),  # it is to wait for others
    ],
)
def test_other_requests_take_their_place(known: Group, rows: int, quick_s: float) -> None:
    assert not queue().may_pass(known, rows, quick_s)


def test_nothing_passes_what_waits() -> None:
    waiting, quick = queue(), taught(1, 0.001)
    offered(waiting, Request(group("other"), None, 1))
    assert not waiting.may_pass(quick, 1, 1.0)
