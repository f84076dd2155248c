"""TLS: who is let in, and certificates that are replaced while the server runs."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from numbatch.serving.config import ServerConfig
from numbatch.serving.security.certificates import CertificateFiles
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.reasons import Reason
from support.logs import logged
from support.raw_calls import raw_calls
from support.server import running_server
from support.tiny import tiny_model
from support.tls import Authority, tls_calls

LOG = "numbatch.serving.security.certificates"


class Files:
    """The files of a server, and their authority."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority()
        self.certificate, self.key, self.client_ca = folder / "tls.crt", folder / "tls.key", folder / "ca.crt"
        self.authority.issue(self.certificate, self.key)

    @property
    def options(self) -> dict[str, Any]:
        return {"tls_certificate": self.certificate, "tls_key": self.key}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def refused(address: str, trusted: bytes, pair: tuple[bytes, bytes] = (b"", b"")) -> grpc.StatusCode:
    """Return how a call fails that finds no connection."""
    with tls_calls(address, trusted, pair) as calls, pytest.raises(grpc.RpcError) as failed:
        calls.infer("tiny", [1, 1], timeout=60)
    code: grpc.StatusCode = failed.value.code()
    return code


def test_a_client_that_trusts_the_authority_is_answered_and_one_in_the_clear_is_not(files: Files) -> None:
    with running_server([tiny_model()], **files.options) as server:
        with tls_calls(server.address, files.authority.pem) as calls:
            assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
        with raw_calls(server.address) as plain, pytest.raises(grpc.RpcError) as failed:
            plain.health()
        assert failed.value.code() is grpc.StatusCode.UNAVAILABLE
        assert refused(server.address, Authority().pem) is grpc.StatusCode.UNAVAILABLE


def test_mutual_tls_lets_in_only_clients_of_the_authority(files: Files) -> None:
    clients = Authority()
    files.client_ca.write_bytes(clients.pem)
    with running_server([tiny_model()], tls_client_ca=files.client_ca, **files.options) as server:
        with tls_calls(server.address, files.authority.pem, clients.client_pair()) as calls:
            assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
        for pair in [(b"", b""), Authority().client_pair()]:
            assert refused(server.address, files.authority.pem, pair) is grpc.StatusCode.UNAVAILABLE


def test_new_connections_see_a_new_certificate_while_others_are_answered_without_a_pause(files: Files) -> None:
    with running_server([tiny_model()], **files.options) as server, logged(LOG) as log:
        old, new = files.authority, Authority()
        connected, rotated = threading.Event(), threading.Event()

        def under_load() -> None:
            with tls_calls(server.address, old.pem) as calls:
                while not rotated.is_set():
                    assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
                    connected.set()
                assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]  # this connection goes on

        load = threading.Thread(target=under_load)
        load.start()
        assert connected.wait(20)
        new.issue(files.certificate, files.key)
        with tls_calls(server.address, new.pem) as calls:
            assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
        log.wait(f"read TLS certificate file={files.certificate}")
        assert refused(server.address, old.pem) is grpc.StatusCode.UNAVAILABLE
        rotated.set()
        load.join()


def half_written(files: Files) -> None:
    files.key.write_bytes(files.key.read_bytes()[:100])


def not_matching(files: Files) -> None:
    Authority().issue(files.certificate, files.certificate.with_name("other.key"))


def missing(files: Files) -> None:
    files.certificate.unlink()


@pytest.mark.parametrize("damage", [half_written, not_matching, missing])
def test_the_last_good_certificate_stays_until_the_new_one_is_whole(
    files: Files, damage: Callable[[Files], None]
) -> None:
    with running_server([tiny_model()], **files.options) as server, logged(LOG) as log:
        damage(files)
        for _ in range(3):
            with tls_calls(server.address, files.authority.pem) as calls:
                assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
        assert "PRIVATE" not in log.wait("the TLS certificate stays as it was: tls_")
        new = Authority()
        new.issue(files.certificate, files.key)
        with tls_calls(server.address, new.pem) as calls:
            assert calls.infer("tiny", [1, 1])[0][1].tolist() == [2, 2]
        assert log.wait("").startswith("read TLS certificate"), "one line for each change"


def test_files_that_do_not_change_are_read_once(files: Files) -> None:
    certificates = CertificateFiles(files.certificate, files.key, None)
    assert certificates.current() is certificates.current()


@pytest.mark.parametrize(
    ("field", "content", "problem"),
    [
        ("tls_certificate", None, "No such file or directory"),
        ("tls_certificate", b"no PEM", "not whole, or no PEM"),
        ("tls_key", b"no PEM", "not whole, or no PEM"),
        ("tls_key", b"other", "the key of another certificate"),
        ("tls_client_ca", b"no PEM", "not whole, or no PEM"),
        ("tls_client_ca", None, "No such file or directory"),
    ],
)
def test_a_server_does_not_start_with_a_bad_file(files: Files, field: str, content: bytes | None, problem: str) -> None:
    files.client_ca.write_bytes(files.authority.pem)
    options = {**files.options, "tls_client_ca": files.client_ca}
    if content is None:
        options[field].unlink()
    elif content == b"other":
        Authority().issue(files.certificate.with_name("other.crt"), options[field])
    else:
        options[field].write_bytes(content)
    with pytest.raises(InvalidArgumentError) as failed, running_server(**options):
        pytest.fail("started")
    assert (failed.value.reason, failed.value.field) == (Reason.INVALID_FIELD, field)
    assert problem in failed.value.message
    assert str(options[field]) in failed.value.message


@pytest.mark.parametrize(
    ("given", "missing_field"),
    [
        (["tls_certificate"], "tls_key"),
        (["tls_key"], "tls_certificate"),
        (["tls_client_ca"], "tls_key"),
        (["tls_client_ca", "tls_key"], "tls_certificate"),
    ],
)
def test_options_that_need_one_another_are_asked_for(given: list[str], missing_field: str) -> None:
    fields: dict[str, Any] = {name: Path("file.pem") for name in given}
    with pytest.raises(InvalidArgumentError, match="TLS needs a certificate and its key") as failed:
        ServerConfig(**fields)
    assert failed.value.field == missing_field
