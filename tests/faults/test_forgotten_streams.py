"""Streams that nobody uses as they are meant to be used."""

import threading
from collections.abc import Iterator

import pytest

from support.aftermath import metrics, settled, total, unharmed_server
from support.raw_calls import raw_calls, read_streamed, stream_request
from support.server import RunningServer, running_server
from support.tiny import tiny_model

STREAMS = 50


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server([tiny_model()], http_listen="127.0.0.1:0") as running:
        yield running


def wait_open(server: RunningServer, streams: int) -> None:
    address = server.server.http_address
    settled(lambda: total(metrics(address), "numbatch_open_streams") == streams, f"{streams} open streams")


def nothing_until(event: threading.Event) -> Iterator[bytes]:
    event.wait(20)
    yield from ()


def test_those_that_never_send_are_let_be_and_end_with_their_connection(server: RunningServer) -> None:
    with unharmed_server(server):
        silence = threading.Event()
        with raw_calls(server.address) as calls:
            streams = [calls.stream(nothing_until(silence)) for _ in range(STREAMS)]
            wait_open(server, len(streams))
            assert calls.infer("tiny", [1, 2])[0][1].tolist() == [2, 4]
        wait_open(server, 0)
        silence.set()


def test_those_whose_peer_has_said_all_and_reads_later_are_answered(server: RunningServer) -> None:
    with unharmed_server(server), raw_calls(server.address) as calls:
        address = server.server.http_address
        answered = total(metrics(address), "numbatch_requests_total")
        requests = [[stream_request("tiny", [n, m]) for m in range(3)] for n in range(STREAMS)]
        streams = [calls.stream(each) for each in requests]
        # The server has finished with them before anybody reads.
        settled(
            lambda: total(metrics(address), "numbatch_requests_total") == answered + 3 * STREAMS, "all are answered"
        )
        wait_open(server, 0)
        for n, stream in enumerate(streams):
            answers = [read_streamed(data)[1] for data in stream]
            assert [answer.tolist() for answer in answers if not isinstance(answer, Exception)] == [
                [2 * n, 2 * m] for m in range(3)
            ]


def test_those_that_are_closed_without_a_word_leave_nothing(server: RunningServer) -> None:
    with unharmed_server(server), raw_calls(server.address) as calls:
        assert [list(calls.stream([])) for _ in range(STREAMS)] == [[]] * STREAMS


def test_those_left_with_unread_answers_end_with_their_connection(server: RunningServer) -> None:
    with unharmed_server(server):
        with raw_calls(server.address) as calls:
            streams = [calls.stream(stream_request("tiny", [n, n]) for n in range(100)) for _ in range(STREAMS)]
            assert [read_streamed(next(stream))[0] for stream in streams] == [""] * STREAMS
        wait_open(server, 0)
