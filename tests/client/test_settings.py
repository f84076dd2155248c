"""How a client is made: the address, the limits, what they are where they are not given."""

import math
import socket

import pytest

from numbatch.client import AsyncClient, Client, InvalidArgumentError, Reason
from numbatch.client._address import Target
from support.both_clients import BOTH, Blocking
from support.fake_server import FakeServer


@pytest.mark.parametrize(
    "server",
    ["127.0.0.1:8001", "localhost:8001", "[::1]:8001", "dns:///numbatch.svc:8001", "unix:/run/numbatch.sock", "a_b:1"],
)
def test_an_address_is_taken_as_it_is(server: str) -> None:
    with Client(server) as client:
        assert repr(client) == f"<Client {server}, timeout 30 s, open>"
    assert repr(client) == f"<Client {server}, timeout 30 s, closed>"


@pytest.mark.parametrize(
    "server",
    [
        "",
        "localhost",  # no port
        "localhost:",
        "localhost:0",  # for listening only
        "localhost:65536",
        "localhost:http",
        ":8001",
        "http://localhost:8001",
        "::1:8001",  # brackets are missing
        "unix:",
        "a b:1",
        "127.0.0.1:1;127.0.0.1:2",
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_is_no_address_is_refused_at_once(kind: type[Client | AsyncClient], server: str) -> None:
    with pytest.raises(InvalidArgumentError, match='expected HOST:PORT such as "127.0.0.1:8001"') as refused:
        kind(server)
    assert (refused.value.reason, refused.value.field, refused.value.got) == (
        Reason.INVALID_FIELD,
        "server",
        repr(server),
    )


def test_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBATCH_SERVER", "models.internal:9000")
    assert "models.internal:9000" in repr(AsyncClient())
    monkeypatch.setenv("NUMBATCH_SERVER", "")
    assert "127.0.0.1:8001" in repr(AsyncClient())
    monkeypatch.setenv("NUMBATCH_SERVER", "nonsense")
    with pytest.raises(InvalidArgumentError, match="NUMBATCH_SERVER: not an address"):
        AsyncClient()


@pytest.mark.parametrize(
    ("server", "uri"),
    [
        ("10.0.0.1:1,10.0.0.2:2", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        (["10.0.0.1:1", "localhost:2"], "ipv4:10.0.0.1:1,127.0.0.1:2"),
        (" 10.0.0.1:1 , 10.0.0.2:2 ", "ipv4:10.0.0.1:1,10.0.0.2:2"),
        ("[2001:db8::1]:1,[::1]:2", "ipv6:[2001:db8::1]:1,[::1]:2"),
        ("[::1]:1,10.0.0.2:2", "ipv6:[::1]:1,[::ffff:10.0.0.2]:2"),  # gRPC's lists have one family
        (["localhost:1"], "localhost:1"),  # one, of whatever form, is one
        ("dns:///numbatch.svc:8001", "dns:///numbatch.svc:8001"),
    ],
)
def test_several_addresses_are_one_target(server: str | list[str], uri: str) -> None:
    assert Target.of(server).uri == uri


@pytest.mark.parametrize("server", [[], "127.0.0.1:1,", "127.0.0.1:1,,127.0.0.1:2"])
def test_nothing_is_no_address(server: str | list[str]) -> None:
    with pytest.raises(InvalidArgumentError, match="server: not an address: got ''"):
        Client(server)


@pytest.mark.parametrize("name", ["numbatch-1:8001", "dns:///numbatch:8001"])
def test_a_name_among_several_is_refused_with_what_to_do_instead(name: str) -> None:
    # gRPC follows one name whose addresses change, not several; to look them up once would lose a server that moves.
    with pytest.raises(InvalidArgumentError, match="a name among several servers.*dns:///NAME:PORT") as refused:
        Client(["10.0.0.1:8001", name])
    assert refused.value.got == repr(name)


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, 86401])
def test_no_timeout_is_infinite(timeout: float) -> None:
    with pytest.raises(InvalidArgumentError, match="timeout: got .*, expected seconds, more than 0") as refused:
        Client(timeout=timeout)
    assert refused.value.field == "timeout"
    with Client() as client, pytest.raises(InvalidArgumentError):
        client.infer("double", [1, 2], timeout=timeout)
    with Client() as client, pytest.raises(InvalidArgumentError):
        client.stream("double", [], timeout=timeout)


@pytest.mark.parametrize("max_message_bytes", [0, -1, 2**31])
def test_a_limit_beyond_what_grpc_takes_is_refused(max_message_bytes: int) -> None:
    with pytest.raises(InvalidArgumentError, match="max_message_bytes: got"):
        Client(max_message_bytes=max_message_bytes)


@pytest.mark.parametrize("kind", BOTH)
def test_a_proxy_for_the_web_is_not_asked_for_this_machine(
    kind: type[Blocking], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # refuses connections, as it does not listen
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        with FakeServer() as server, kind(server.address) as client:
            assert client.call("is_ready")
