"""`numbatch top` against a server, and against what is none."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from numbatch.cli.exits import CommandError
from numbatch.cli.top_source import fetch
from numbatch.serving.config import ServerConfig
from support.command import NO_SERVER, numbatch
from support.server import running_server
from support.tiny import tiny_model

ONCE = ("--count", 1, "--interval", 0.01)


@pytest.fixture(scope="module")
def http() -> Iterator[str]:
    with running_server([tiny_model()], http_listen="127.0.0.1:0") as running:
        yield running.server.http_address


def test_json_has_one_object_for_each_look(http: str) -> None:
    outcome = numbatch("top", "--http", http, "--count", 2, "--interval", 0.01, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    looks = [json.loads(line) for line in outcome.out.splitlines()]
    assert len(looks) == 2
    assert [(model["model"], model["version"], model["state"]) for model in looks[0]["models"]] == [
        ("tiny", "1", "ready")
    ]
    assert looks[0]["memory_bytes"] > 2**20
    assert looks[0]["ready"] is True


def test_without_a_terminal_it_is_a_line_for_each_look(http: str) -> None:
    outcome = numbatch("top", "--http", http, "--count", 2, "--interval", 0.01)
    assert (outcome.code, outcome.err) == (0, "")
    assert len(outcome.out.splitlines()) == 2
    assert outcome.out.startswith("0 requests/s  0 rows/s  latency p50 - p99 -  ")


def test_on_a_terminal_it_is_a_screen(http: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBATCH_HTTP", http)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    outcome = numbatch("top", *ONCE, terminal=True)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"on {http}: " in outcome.out
    assert "model/version" in outcome.out
    assert "tiny/1*" in outcome.out


def test_nobody_there_is_4_and_says_what_is_asked_for() -> None:
    outcome = numbatch("top", "--http", NO_SERVER, *ONCE)
    assert (outcome.code, outcome.out) == (4, "")
    assert outcome.err == (
        f"numbatch: error: no metrics from http://{NO_SERVER}/metrics: Connection refused; "
        "--http takes the address of `numbatch serve --http-listen`\n"
    )


def test_the_grpc_port_is_named_as_what_it_is() -> None:
    with running_server() as running:
        outcome = numbatch("top", "--http", running.address, *ONCE)
    assert outcome.code == 4
    assert "does not speak HTTP, as gRPC's port does not" in outcome.err


def test_a_server_that_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        outcome = numbatch("top", "--http", address, "--timeout", 0.05, *ONCE)
    assert outcome.code == 4
    assert "no answer in 0.05 s" in outcome.err


class Foreign(BaseHTTPRequestHandler):
    """A server with metrics that are not numbatch's; or none, on the path that a test takes away."""

    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"up 1.0\n")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "problem"),
    [(200, "is not of a numbatch server: there is no numbatch_build_info in it"), (404, "answers 404 Not Found")],
)
def test_a_server_of_something_else_is_4(status: int, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Foreign, "status", status)
    with HTTPServer(("127.0.0.1", 0), Foreign) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            with pytest.raises(CommandError, match=problem):
                fetch("127.0.0.1", server.server_address[1], 5)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("host", ["a host", f"{'a' * 64}.example", "a..example"])
def test_what_can_be_no_host_is_2(host: str) -> None:
    outcome = numbatch("top", "--http", f"{host}:8002", *ONCE)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        f"numbatch: error: no metrics from http://{host}:8002/metrics: {host!r} is no name of a host; "
        "--http takes the address of `numbatch serve --http-listen`\n"
    )


@pytest.mark.parametrize("address", ["nowhere", "http://127.0.0.1:8002", "127.0.0.1:0", "127.0.0.1:99999", ":8002"])
def test_a_wrong_address_is_2(address: str) -> None:
    outcome = numbatch("top", "--http", address)
    assert outcome.code == 2
    assert f"--http: got {address!r}, expected HOST:PORT" in outcome.err


def test_it_looks_where_a_server_answers_http_by_default() -> None:
    assert f"[env var: NUMBATCH_HTTP; default: {ServerConfig().http_listen}]" in " ".join(
        numbatch("top", "--help").out.split()
    )
