"""Who the server is, and who the caller: TLS, certificates of both sides, tokens, and that secrets stay secret."""

from pathlib import Path
from typing import Any

import pytest

from numbatch.client import (
    AsyncClient,
    Client,
    DeadlineExceededError,
    InvalidArgumentError,
    Reason,
    Tls,
    UnavailableError,
)
from support.both_clients import Bench
from support.certificates import Authority, write
from support.fake_server import CHECK_HEALTH, GET_MODEL, INFER, LIST_MODELS, STREAM_INFER, FakeServer

X = [1, 2]
REMOTE = "models.internal:8001"


@pytest.fixture(scope="module")
def ours() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def others() -> Authority:
    return Authority()


def served(bench: Bench, authority: Authority, *names: str, clients: Authority | None = None) -> FakeServer:
    return bench.server(credentials=authority.server_credentials(*names, clients=clients))


# TLS.


def test_a_server_is_trusted_by_the_authority_of_its_certificate(bench: Bench, ours: Authority, tmp_path: Path) -> None:
    server = served(bench, ours, "127.0.0.1")
    paths = write(tmp_path, root=ours.root)
    for root in (ours.root, paths["root"], Path(paths["root"])):
        client = bench.client(server, tls=Tls(root_certificates=root))
        assert client.call("infer", "double", X).tolist() == [2, 4]
        assert [result.tolist() for result in client.stream("double", [X])] == [[2, 4]]


@pytest.mark.parametrize(
    ("names", "tls", "message"),
    [
        (["127.0.0.1"], True, r"unable to get local issuer certificate; .*Tls\(root_certificates=\.\.\.\)"),
        (["else.where"], None, r"Hostname Verification Check failed; .*Tls\(target_name_override=\.\.\.\)"),
        (["127.0.0.1"], False, r"Socket closed; .*check tls="),
    ],
)
def test_a_server_that_is_not_trusted_gets_no_call_and_the_error_says_what_to_do(
    bench: Bench, ours: Authority, names: list[str], tls: bool | None, message: str
) -> None:
    server = served(bench, ours, *names)
    trusting = Tls(root_certificates=ours.root) if tls is None else tls
    with pytest.raises(UnavailableError, match=message):
        bench.client(server, tls=trusting).call("infer", "double", X)
    assert server.calls == []


def test_who_waits_for_a_server_that_is_not_trusted_hears_why(bench: Bench, ours: Authority, others: Authority) -> None:
    client = bench.client(served(bench, ours, "127.0.0.1"), tls=Tls(others.root))
    with pytest.raises(DeadlineExceededError, match=r"was not ready within 0.3 s: .*issuer certificate; .*Tls\("):
        client.call("wait_ready", timeout=0.3)


def test_damaged_certificates_are_told_from_a_server_that_is_away(bench: Bench, ours: Authority) -> None:
    damaged = b"-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n"
    one, other = ours.identity("one.internal"), ours.identity("other.internal")
    server = served(bench, ours, "127.0.0.1")
    for tls in (Tls(damaged), Tls(ours.root, one.certificate, other.private_key)):
        with pytest.raises(UnavailableError, match=r"damaged, or the private key is that of another: check tls="):
            bench.client(server, tls=tls).call("infer", "double", X)


def test_a_server_without_tls_gets_no_call_of_a_client_with_it(bench: Bench, ours: Authority) -> None:
    server = bench.server()
    with pytest.raises(UnavailableError, match="the server there speaks no TLS"):
        bench.client(server, tls=Tls(root_certificates=ours.root)).call("infer", "double", X)


def test_the_name_in_the_certificate_may_be_another_than_the_address(bench: Bench, ours: Authority) -> None:
    tls = Tls(root_certificates=ours.root, target_name_override="else.where")
    one, other = served(bench, ours, "else.where"), served(bench, ours, "else.where")
    assert bench.client(one, tls=tls).call("is_ready")
    assert bench.client([one.address, other.address], tls=tls).call("infer", "double", X).tolist() == [2, 4]


def test_several_servers_need_the_name_that_their_certificates_share(ours: Authority) -> None:
    with pytest.raises(InvalidArgumentError, match=r"several servers: got no name.*target_name_override") as refused:
        Client("10.0.0.1:1,10.0.0.2:1", tls=Tls(root_certificates=ours.root))
    assert refused.value.field == "tls"


def test_a_client_shows_its_own_certificate(bench: Bench, ours: Authority, others: Authority) -> None:
    server = served(bench, ours, "127.0.0.1", clients=others)
    known, unknown = others.identity("caller.internal"), ours.identity("caller.internal")
    for identity, is_let_in in ((known, True), (unknown, False)):
        tls = Tls(ours.root, identity.certificate, identity.private_key)
        assert bench.client(server, tls=tls).call("is_ready") is is_let_in
    assert bench.client(server, tls=Tls(ours.root)).call("is_ready") is False


def test_the_environment_names_the_certificates(
    bench: Bench, ours: Authority, others: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = others.identity("caller.internal")
    paths = write(tmp_path, root=ours.root, certificate=own.certificate, key=own.private_key)
    monkeypatch.setenv("NUMBATCH_ROOT_CERTIFICATES", paths["root"])
    monkeypatch.setenv("NUMBATCH_CERTIFICATE", paths["certificate"])
    monkeypatch.setenv("NUMBATCH_PRIVATE_KEY", paths["key"])
    server = served(bench, ours, "127.0.0.1", clients=others)
    assert bench.client(server).call("is_ready")
    assert bench.client(bench.server(), tls=False).call("is_ready")
    monkeypatch.setenv("NUMBATCH_TLS", "0")
    assert bench.client(bench.server()).call("is_ready")


@pytest.mark.parametrize("kind", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("tls", "message"),
    [
        (Tls("/nowhere/root.pem"), "tls.root_certificates: /nowhere/root.pem cannot be read: No such file"),
        (Tls(b"secret"), "tls.root_certificates: got something else, expected a CERTIFICATE in PEM"),
        (Tls(certificate=b"x"), "tls: got only certificate, expected certificate and private_key"),
        (Tls(private_key=b"x"), "tls: got only private_key, expected certificate and private_key"),
    ],
)
def test_what_is_no_certificate_is_refused_at_once(kind: type[Any], tls: Tls, message: str) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        kind(REMOTE, tls=tls)
    assert refused.value.message.startswith(message)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("tls", ["ca.pem", {"root_certificates": "ca.pem"}, 1])
def test_what_is_no_tls_is_refused_with_what_is(tls: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"tls: got a \w+, expected True, False or Tls\(root_certificates="):
        Client(tls=tls)


# Tokens.


def test_a_token_goes_with_every_call(bench: Bench) -> None:
    server = bench.server({LIST_MODELS: lambda *_: b""})
    client = bench.client(server, token="t0ken")
    client.call("infer", "double", X)
    client.stream("double", [X])
    client.call("get_metadata", "double")
    client.call("list_models")
    client.call("is_ready")
    assert server.calls == [INFER, STREAM_INFER, GET_MODEL, LIST_MODELS, CHECK_HEALTH]
    assert [metadata["authorization"] for metadata in server.metadata] == ["Bearer t0ken"] * 5


def test_without_a_token_there_is_no_header(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBATCH_TOKEN", "t0ken")
    server = bench.server()
    bench.client(server, token="").call("infer", "double", X)
    bench.client(server).call("infer", "double", X)
    assert [metadata.get("authorization") for metadata in server.metadata] == [None, "Bearer t0ken"]


def test_a_token_that_changes_is_asked_for_before_each_call(bench: Bench) -> None:
    server, tokens = bench.server(), iter(["one", "two"])
    client = bench.client(server, token=lambda: next(tokens))
    client.call("infer", "double", X)
    client.call("infer", "double", X)
    assert [metadata["authorization"] for metadata in server.metadata] == ["Bearer one", "Bearer two"]


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_no_token_leaves_this_machine_in_plaintext(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidArgumentError, match=r"token: .*without TLS, expected tls=") as refused:
        kind(REMOTE, token="t0ken")
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_FIELD, "token")
    assert "t0ken" not in str(refused.value)
    monkeypatch.setenv("NUMBATCH_TOKEN", "t0ken")
    with pytest.raises(InvalidArgumentError, match="NUMBATCH_TOKEN"):
        kind(f"127.0.0.1:1,{'10.0.0.1:1'}")  # one of them is another machine
    for server in ("127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/run/numbatch.sock", "127.0.0.1:1,127.0.0.2:1"):
        kind(server)
    kind(REMOTE, tls=True)
    kind(REMOTE, allow_plaintext_token=True)


@pytest.mark.parametrize("token", ["two words", "a\nb", "schlüssel", " secret"])
def test_what_no_header_carries_is_refused_without_repeating_it(token: str) -> None:
    with pytest.raises(InvalidArgumentError, match="token: got a token with blanks") as refused:
        Client(token=token)
    assert token not in str(refused.value)
    with Client(token=lambda: token) as client, pytest.raises(InvalidArgumentError) as refused:
        client.infer("double", X)
    assert token not in str(refused.value)


@pytest.mark.parametrize(("token", "got"), [(b"t0ken", "a bytes"), (Path("t0ken"), "a PosixPath")])
def test_what_is_no_token_is_refused_at_once(token: Any, got: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"token: got {got}, expected a str of visible ASCII") as refused:
        Client(token=token)
    assert "t0ken" not in str(refused.value)


@pytest.mark.parametrize(("token", "got"), [(None, "a NoneType"), ("", "an empty one")])
def test_a_callable_that_has_no_token_is_told(bench: Bench, token: Any, got: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"token: got {got}, expected a str of visible ASCII"):
        bench.client("127.0.0.1:1", token=lambda: token).call("infer", "double", X)


def test_no_secret_is_shown(ours: Authority) -> None:
    own = ours.identity("caller.internal")
    tls = Tls(ours.root, own.certificate, own.private_key)
    with Client("127.0.0.1:1", tls=tls, token="t0ken") as client:
        shown = [repr(tls), repr(client), repr(client._session.settings)]
    assert not [text for text in shown if "t0ken" in text or "BEGIN" in text]
