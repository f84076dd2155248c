"""How bodies come over HTTP: packed, in chunks, slowly, too large; and how answers go."""

import contextlib
import gzip
import json
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from support.rest import JSON_LENGTH, Rest, binary_tensor, tensor
from support.server import RunningServer, running_server
from support.tiny import tiny_model

LIMIT = 1024 * 1024
STALL_S = 0.25
GOOD = json.dumps({"inputs": [tensor("input", [[1, 2]])]}).encode()
HEAD = b"POST /v2/models/tiny/infer HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with running_server(
        [tiny_model()], http_listen="127.0.0.1:0", max_message_bytes=LIMIT, stream_stall_s=STALL_S
    ) as running:
        yield running


@pytest.fixture
def rest(server: RunningServer) -> Iterator[Rest]:
    rest = Rest(server.server.http_address)
    yield rest
    assert rest.infer("tiny", GOOD).output("positive").tolist() == [[2, 4]]


def _bare(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "its old name": ("x-gzip", gzip.compress),
    "gzip of two members": ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
    "deflate": ("deflate", zlib.compress),
    "deflate without a header": ("DEFLATE", _bare),
    "as it is": ("identity", bytes),
}


@pytest.mark.parametrize(("name", "pack"), PACKINGS.values(), ids=PACKINGS)
@pytest.mark.parametrize("rows", [1, 5000])
def test_bodies_may_be_packed(rest: Rest, name: str, pack: Callable[[bytes], bytes], rows: int) -> None:
    x = np.random.default_rng(3).standard_normal((rows, 2)).astype(np.float32)
    head = json.dumps({"inputs": [binary_tensor("input", x)], "outputs": [{"name": "scaled"}]}).encode()
    headers = {"Content-Encoding": name, JSON_LENGTH: str(len(head))}
    reply = rest.infer("tiny", pack(head + x.tobytes()), headers)
    assert reply.output("scaled").tobytes() == (2 * x).tobytes()


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_few_bytes_that_become_many_are_not_unpacked(rest: Rest, pack: Callable[[bytes], bytes]) -> None:
    name = "gzip" if pack is gzip.compress else "deflate"
    assert rest.infer("tiny", pack(GOOD.ljust(LIMIT)), {"Content-Encoding": name}).status == 200
    status, reason, text = rest.infer("tiny", pack(bytes(200 * LIMIT)), {"Content-Encoding": name}).problem
    assert (status, reason) == (413, "MESSAGE_TOO_LARGE")
    assert text.startswith("the request is over the server's message limit: got more, unpacked, expected at most ")


@pytest.mark.parametrize(
    ("name", "body", "text"),
    [
        ("gzip", b"{}", "no gzip: "),
        ("deflate", b"\xff no deflate", "no deflate: "),
        ("gzip", gzip.compress(GOOD)[:-3], "gzip that ends too early"),
        ("gzip", gzip.compress(GOOD) + b"more", "no gzip: "),
        ("deflate", zlib.compress(GOOD)[:-3], "deflate that ends too early"),
    ],
)
def test_what_is_packed_wrongly(rest: Rest, name: str, body: bytes, text: str) -> None:
    status, reason, told = rest.infer("tiny", body, {"Content-Encoding": name}).problem
    assert (status, reason) == (400, "MALFORMED_MESSAGE")
    assert told.startswith(text)


@pytest.mark.parametrize("name", ["br", "zstd", "gzip, gzip", "x" * 1000])
def test_packings_that_are_not_known(rest: Rest, name: str) -> None:
    reply = rest.infer("tiny", GOOD, {"Content-Encoding": name})
    assert (reply.status, reply.headers["Accept-Encoding"]) == (415, "gzip, deflate")
    assert reply.json["error"] == f"Content-Encoding: got {name[:64]!r}, expected gzip or deflate, or none"


@pytest.mark.parametrize(("accepted", "packing"), [("gzip", "gzip"), ("br;q=1, deflate;q=0.5", "deflate"), ("*", None)])
def test_answers_are_packed_for_who_asks_for_it(rest: Rest, accepted: str, packing: str | None) -> None:
    x = np.zeros((10_000, 2), np.float32)
    said = {"inputs": [binary_tensor("input", x)]}
    reply = rest.infer_binary("tiny", said, x.tobytes(), **{"Accept-Encoding": accepted})
    assert reply.headers.get("Content-Encoding") == packing
    unpacked = zlib.decompress(reply.body, 47) if packing else reply.body
    assert json.loads(unpacked)["outputs"][0]["data"] == [0] * 20_000


def test_a_short_answer_is_not_packed(rest: Rest) -> None:
    assert "Content-Encoding" not in rest.infer("tiny", GOOD, {"Accept-Encoding": "gzip"}).headers
    x = np.zeros((10_000, 2), np.float32)
    reply = rest.infer_binary(
        "tiny", {"inputs": [binary_tensor("input", x)]}, x.tobytes(), **{"Accept-Encoding": "gzip;q=0"}
    )
    assert "Content-Encoding" not in reply.headers


def test_a_body_at_the_limit_is_read_and_one_over_it_is_not(rest: Rest) -> None:
    assert rest.infer("tiny", GOOD.ljust(LIMIT)).status == 200
    told = (
        "the request is over the server's message limit: got 1048577 bytes, expected at most 1048576 bytes; "
        "send fewer rows at once, or raise the server's limit"
    )
    assert rest.infer("tiny", GOOD.ljust(LIMIT + 1)).problem == (413, "MESSAGE_TOO_LARGE", told)


def test_a_body_may_come_without_its_length(server: RunningServer, rest: Rest) -> None:
    with _connected(server) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + _chunks(GOOD, 1))
        assert _status(connection) == 200


def test_without_its_length_it_is_read_up_to_the_limit(server: RunningServer, rest: Rest) -> None:
    with _connected(server) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                connection.sendall(_chunks(bytes(64 * 1024), 64 * 1024)[: -len(b"0\r\n\r\n")])
        assert _status(connection) == 413


def test_a_body_that_is_not_what_its_headers_say(server: RunningServer, rest: Rest) -> None:
    with _connected(server) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
        assert _status(connection) == 400


def test_a_body_that_does_not_come(server: RunningServer, rest: Rest) -> None:
    with _connected(server) as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        assert _status(connection) == 408


def test_who_asks_first_whether_the_body_may_come_is_answered(server: RunningServer, rest: Rest) -> None:
    ask = HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with _connected(server) as connection:
        connection.sendall(ask % len(GOOD))
        assert _status(connection) == 100
        connection.sendall(GOOD)
        assert _status(connection) == 200
    with _connected(server) as connection:
        connection.sendall(ask % (LIMIT + 1))
        assert _status(connection) == 413
    with _connected(server) as connection:
        connection.sendall(HEAD + b"Expect: miracles\r\nContent-Length: 2\r\n\r\n{}")
        assert _status(connection) == 417


def test_requests_may_follow_each_other_before_they_are_answered(server: RunningServer, rest: Rest) -> None:
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(GOOD) + GOOD
    with _connected(server) as connection:
        connection.sendall(20 * request)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 20:
            received += connection.recv(65536)


def test_what_is_no_http_is_answered_and_not_logged(
    server: RunningServer, rest: Rest, caplog: pytest.LogCaptureFixture
) -> None:
    for garbage in (
        b"\x16\x03\x01\x02\x00\x01",
        b"GET / HTTP/9\r\n\r\n",
        b"POST /v2 HTTP/1.1\r\n: x\r\n\r\n",
        9000 * b"x",
    ):
        with _connected(server) as connection, contextlib.suppress(ConnectionError):
            connection.sendall(garbage + b"\r\n\r\n")
            assert b" 400 " in connection.recv(65536)
    assert not caplog.records


def test_a_peer_that_does_not_read_its_answer_loses_it(server: RunningServer, rest: Rest) -> None:
    x = np.zeros((100_000, 2), np.float32)
    head = json.dumps({"inputs": [binary_tensor("input", x)], "parameters": {"binary_data_output": True}}).encode()
    request = HEAD + f"Content-Length: {len(head) + x.nbytes}\r\n{JSON_LENGTH}: {len(head)}\r\n\r\n".encode()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        host, _, port = server.server.http_address.rpartition(":")
        connection.connect((host, int(port)))
        for _ in range(8):  # more than the system keeps for it
            connection.sendall(request + head + x.tobytes())
        with pytest.raises(ConnectionError):
            while True:  # the system tells it when it writes
                connection.sendall(b"more")


def test_connections_over_the_limit_are_closed_at_once() -> None:
    with running_server(http_listen="127.0.0.1:0", max_connections=4) as server, contextlib.ExitStack() as stack:
        kept = [stack.enter_context(_connected(server)) for _ in range(4)]
        for _ in range(2):
            for connection in kept:
                connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert _status(connection) == 200
            with _connected(server) as refused, contextlib.suppress(ConnectionError):
                assert refused.recv(1) == b""


@contextlib.contextmanager
def _connected(server: RunningServer) -> Iterator[socket.socket]:
    host, _, port = server.server.http_address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        yield connection


def _chunks(data: bytes, size: int) -> bytes:
    parts: list[Any] = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _status(connection: socket.socket) -> int:
    """Read an answer whose body is short, and return its status."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    return int(received.split()[1])
