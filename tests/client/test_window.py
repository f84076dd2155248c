"""The window of a stream: what is sent, what is sent again, in which order. No call, no server."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from numbatch.client._answers import Expected
from numbatch.client._errors import CallDetails
from numbatch.client._window import Ended, Request, Window
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason


def request(number: int) -> Request:
    return Request(Expected(CallDetails("server", 1.0), None), f"{number}".encode())


def refused() -> Exception:
    return error(Reason.EMPTY_BATCH)


def sent(window: Window) -> list[bytes]:
    requests = list[bytes]()
    while (data := window.next_request()) is not None:
        requests.append(data)
    return requests


def window_of(*entries: object, size: int = 8) -> Window:
    window = Window(size)
    for entry in entries:
        window.add(entry)  # type: ignore[arg-type]
    return window


def test_what_was_taken_is_sent_once() -> None:
    window = window_of(request(0), request(1))
    assert (sent(window), sent(window)) == ([b"0", b"1"], [])


def test_what_is_unanswered_is_sent_again_on_the_next_call() -> None:
    window = window_of(request(0), request(1), request(2))
    sent(window)
    window.answered()
    window.broken()
    assert sent(window) == [b"1", b"2"]


def test_a_call_that_broke_before_it_sent_all_costs_nothing_twice() -> None:
    window = window_of(request(0), request(1), request(2))
    assert window.next_request() == b"0"
    window.broken()
    assert sent(window) == [b"0", b"1", b"2"]


def test_what_the_client_refuses_is_never_sent_and_keeps_its_place() -> None:
    window = window_of(request(0), refused(), request(2))
    assert sent(window) == [b"0", b"2"]
    window.answered()
    assert isinstance(window.first, Exception)
    window.answered()
    assert isinstance(window.first, Request)
    window.broken()
    assert sent(window) == [b"2"]


def test_there_is_room_for_the_size_and_none_after_the_end() -> None:
    assert window_of(request(0), size=2).has_room
    assert not window_of(request(0), request(1), size=2).has_room
    assert not window_of(Ended(), size=2).has_room


def test_the_end_is_told_on_each_call_after_all_requests() -> None:
    window = window_of(request(0), Ended())
    assert (sent(window), window.has_end, window.has_unsent) == ([b"0"], True, True)
    window.broken()
    assert (sent(window), window.has_end) == ([b"0"], True)


@given(st.lists(st.sampled_from(["take", "refuse", "send", "answer", "break"]), max_size=200), st.integers(1, 4))
def test_each_minibatch_is_answered_once_and_in_order_whatever_happens(events: list[str], size: int) -> None:
    window, taken, answered = Window(size), 0, list[bytes]()
    on_the_way = deque[bytes]()  # what the server of the current call has received
    for event in events:
        if event in ("take", "refuse") and window.has_room:
            window.add(request(taken) if event == "take" else error(Reason.EMPTY_BATCH, f"{taken}"))
            taken += 1
        elif event == "send" and (data := window.next_request()) is not None:
            on_the_way.append(data)
        elif event == "answer":
            first = window.first
            if isinstance(first, Request) and on_the_way:
                assert on_the_way.popleft() == first.data  # servers answer in order, so this is the one
                answered.append(first.data)
                window.answered()
            elif first is not None and not isinstance(first, Request | Ended):
                answered.append(first.message.encode())
                window.answered()
        elif event == "break":
            on_the_way.clear()
            window.broken()
    assert answered == [f"{number}".encode() for number in range(len(answered))]
    assert taken - len(answered) <= size
