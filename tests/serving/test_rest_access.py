"""Who may do what over HTTP: as over gRPC, and never more."""

import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from numbatch.serving.config import ServerConfig
from numbatch.serving.http.gate import terms_of
from numbatch.serving.security.access import Scope, access_for
from numbatch.wire.errors import InvalidArgumentError, NumbatchError
from support.raw_calls import raw_calls, refusal
from support.rest import Rest, tensor
from support.server import running_server
from support.tiny import tiny_model
from support.tls import Authority, tls_calls

ANYWHERE = "127.0.0.1:0"
GOOD = {"inputs": [tensor("input", [[1, 2]])]}
INFERENCE, CONTROL = "inference-token", "control-token"

OPEN = ["/livez", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready", "/v2/models/tiny/ready"]
QUESTIONS = [
    ("GET", "/v2"),
    ("GET", "/v2/models"),
    ("GET", "/v2/models/tiny"),
    ("GET", "/v2/models/tiny/config"),
    ("GET", "/v2/models/tiny/stats"),
    ("GET", "/v2/models/stats"),
    ("POST", "/v2/repository/index"),
    ("GET", "/v2/systemsharedmemory/status"),
    ("GET", "/v2/trace/setting"),
    ("GET", "/v2/logging"),
]
CHANGES = [
    ("POST", "/v2/repository/models/tiny/unload"),
    ("POST", "/v2/repository/models/tiny/load"),
    ("POST", "/v2/systemsharedmemory/unregister"),
]


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "inference").write_text(INFERENCE)
    (folder / "control").write_text(CONTROL)
    return {"inference_tokens_file": folder / "inference", "control_tokens_file": folder / "control"}


@pytest.fixture(scope="module")
def guarded(tokens: dict[str, Any]) -> Iterator[str]:
    with running_server([tiny_model()], http_listen=ANYWHERE, **tokens) as running:
        yield running.server.http_address


@pytest.mark.parametrize("path", OPEN)
def test_probes_need_no_token(guarded: str, path: str) -> None:
    assert Rest(guarded).get(path).status == 200


def test_inference_takes_a_token_of_either_scope(guarded: str) -> None:
    for token in (INFERENCE, CONTROL):
        assert Rest(guarded, token=token).infer("tiny", GOOD).status == 200
    for stranger in (Rest(guarded), Rest(guarded, token="somebody-elses")):
        reply = stranger.infer("tiny", GOOD)
        assert reply.problem[:2] == (401, "UNAUTHENTICATED")
        assert reply.headers["WWW-Authenticate"] == "Bearer"
        assert "somebody" not in reply.problem[2]


@pytest.mark.parametrize(("method", "path"), QUESTIONS)
def test_questions_need_the_right_to_infer(guarded: str, method: str, path: str) -> None:
    assert Rest(guarded, token=INFERENCE).send(method, path, None, {}).status == 200
    assert Rest(guarded).send(method, path, None, {}).status == 401


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_changes_need_the_right_to_control(guarded: str, method: str, path: str) -> None:
    assert Rest(guarded).send(method, path, None, {}).status == 401
    refused = Rest(guarded, token=INFERENCE).send(method, path, None, {})
    assert refused.problem[:2] == (403, "PERMISSION_DENIED")
    assert Rest(guarded, token=CONTROL).send(method, path, None, {}).status == 200


def test_whoever_may_not_is_refused_before_the_body_is_read(guarded: str) -> None:
    assert Rest(guarded).infer("tiny", b"{").problem[0] == 401
    assert Rest(guarded).post("/v2/models/tiny/infer", b"x", {"Content-Encoding": "br"}).problem[0] == 401


def test_web_pages_control_no_server_without_tokens(guarded: str) -> None:
    page = {"Origin": "http://elsewhere.example", "Content-Type": "text/plain"}
    with running_server([tiny_model()], http_listen=ANYWHERE) as running:
        rest = Rest(running.server.http_address)
        for method, path in CHANGES:
            status, reason, text = rest.send(method, path, None, page).problem
            assert (status, reason) == (403, "PERMISSION_DENIED")
            assert text.endswith("use --control-tokens-file")
            assert rest.send(method, path, None, {}).status == 200
    # A page has no token, unless somebody gave it one.
    assert Rest(guarded, token=CONTROL).post("/v2/repository/models/tiny/load", None, page).status == 200


@pytest.mark.parametrize(
    ("listen", "http_listen", "option", "allowed"),
    [
        ("127.0.0.1:0", "127.0.0.1:0", "auto", True),
        ("127.0.0.1:0", "[::1]:0", "auto", True),
        ("127.0.0.1:0", "0.0.0.0:0", "auto", False),
        ("0.0.0.0:0", "127.0.0.1:0", "auto", False),
        ("unix:/tmp/socket", "127.0.0.1:0", "auto", False),
        ("0.0.0.0:0", "0.0.0.0:0", "on", True),
        ("127.0.0.1:0", "127.0.0.1:0", "off", False),
    ],
)
def test_models_are_controlled_where_only_this_machine_can_do_so(
    listen: str, http_listen: str, option: str, allowed: bool
) -> None:
    config = ServerConfig(listen=listen, http_listen=http_listen, repository_control=option)
    check = access_for(config, {}).over_http(config).check_for(Scope.CONTROL)
    try:
        if check is not None:
            check(None)
    except NumbatchError:
        assert not allowed
    else:
        assert allowed


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def files(tmp_path: Path, authority: Authority) -> dict[str, Any]:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    authority.issue(certificate, key)
    return {"tls_certificate": certificate, "tls_key": key}


def test_a_server_that_encrypts_infers_nothing_in_the_clear(files: dict[str, Any]) -> None:
    with running_server([tiny_model()], http_listen=ANYWHERE, **files) as running:
        rest = Rest(running.server.http_address)
        assert [rest.get(path).status for path in OPEN] == [200] * len(OPEN)
        told = (
            "this server encrypts gRPC, and HTTP not, so it answers no inference over HTTP; "
            "its operator allows it with --http-inference on, or --http-tls on"
        )
        assert rest.infer("tiny", GOOD).problem == (403, "PERMISSION_DENIED", told)
        for method, path in QUESTIONS + CHANGES:
            assert rest.send(method, path, None, {}).status == 403


def test_it_does_so_if_it_is_told(files: dict[str, Any]) -> None:
    with running_server([tiny_model()], http_listen=ANYWHERE, http_inference="on", **files) as running:
        assert Rest(running.server.http_address).infer("tiny", GOOD).status == 200


def test_inference_over_http_can_be_switched_off() -> None:
    with running_server([tiny_model()], http_listen=ANYWHERE, http_inference="off") as running:
        rest = Rest(running.server.http_address)
        assert rest.get("/v2/health/ready").status == 200
        assert rest.infer("tiny", GOOD).problem[:2] == (403, "PERMISSION_DENIED")


def test_a_unix_socket_keeps_out_those_who_may_not_open_it() -> None:
    assert "unix socket" in terms_of(ServerConfig(listen="unix:/tmp/socket")).closed
    assert not terms_of(ServerConfig(listen="unix:/tmp/socket", http_inference="on")).closed


def test_http_can_be_encrypted_too(files: dict[str, Any], authority: Authority) -> None:
    with running_server([tiny_model()], http_listen=ANYWHERE, http_tls="on", **files) as running:
        address = running.server.http_address
        rest = Rest(address, trust=_trust(authority))
        assert rest.infer("tiny", GOOD).output("positive").tolist() == [[2, 4]]
        assert rest.get("/metrics").status == 200
        with pytest.raises(OSError):
            Rest(address).get("/livez")  # in the clear
        with pytest.raises(ssl.SSLCertVerificationError):
            Rest(address, trust=_trust(Authority())).get("/livez")


def test_certificates_that_change_are_used_by_the_next_connection(files: dict[str, Any]) -> None:
    old, new = Authority(), Authority()
    old.issue(files["tls_certificate"], files["tls_key"])
    with running_server([tiny_model()], http_listen=ANYWHERE, http_tls="on", **files) as running:
        address = running.server.http_address
        assert Rest(address, trust=_trust(old)).infer("tiny", GOOD).status == 200
        new.issue(files["tls_certificate"], files["tls_key"])
        assert Rest(address, trust=_trust(new)).infer("tiny", GOOD).status == 200
        files["tls_key"].write_text("not whole")
        assert Rest(address, trust=_trust(new)).infer("tiny", GOOD).status == 200


def test_a_certificate_of_the_client_is_needed_for_more_than_health(
    files: dict[str, Any], authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    with running_server(
        [tiny_model()], http_listen=ANYWHERE, http_tls="on", tls_client_ca=tmp_path / "ca.pem", **files
    ) as running:
        address = running.server.http_address
        nobody = Rest(address, trust=_trust(authority))
        assert [nobody.get(path).status for path in OPEN] == [200] * len(OPEN)
        status, reason, text = nobody.infer("tiny", GOOD).problem
        assert (status, reason) == (401, "UNAUTHENTICATED")
        assert text == "got no certificate, expected a client certificate"
        known = Rest(address, trust=_trust(authority, *authority.client_pair()))
        assert known.infer("tiny", GOOD).status == 200
        stranger = Rest(address, trust=_trust(authority, *Authority().client_pair()))
        with pytest.raises(OSError):
            stranger.get("/livez")
        with tls_calls(running.address, authority.pem, authority.client_pair()) as calls:
            assert calls.infer("tiny", [[1, 2]])[0][1].tolist() == [[2, 4]]


def test_tls_for_http_needs_a_certificate() -> None:
    with pytest.raises(InvalidArgumentError, match="http_tls: TLS needs a certificate and its key"):
        ServerConfig(http_tls="on")


@pytest.mark.parametrize(
    ("listen", "http_listen", "warned"), [("127.0.0.1:0", "127.0.0.1:0", False), ("127.0.0.1:0", "0.0.0.0:0", True)]
)
def test_tokens_in_the_clear_beyond_this_machine_are_warned_of(
    tokens: dict[str, Any], caplog: pytest.LogCaptureFixture, listen: str, http_listen: str, warned: bool
) -> None:
    with running_server(listen=listen, http_listen=http_listen, **tokens):
        assert ("tokens are sent in the clear" in caplog.text) == warned


def test_grpc_says_the_same_about_tokens(tokens: dict[str, Any]) -> None:
    with running_server([tiny_model()], http_listen=ANYWHERE, **tokens) as running, raw_calls(running.address) as calls:
        refused = refusal(lambda: calls.infer("tiny", [[1, 2]]))
        assert Rest(running.server.http_address).infer("tiny", GOOD).problem[1:] == (refused.reason, refused.message)


def _trust(authority: Authority, key: bytes = b"", certificate: bytes = b"") -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if key:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:
            file.write(certificate + key)
            file.flush()
            context.load_cert_chain(file.name)
    return context
