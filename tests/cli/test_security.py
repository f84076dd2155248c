"""TLS, tokens and several servers from the command line."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.certificates import Authority, write
from support.command import numbatch
from support.fake_server import INFER, STREAM_INFER, FakeServer

OURS = Authority()


@pytest.fixture
def secure() -> Iterator[FakeServer]:
    with FakeServer(credentials=OURS.server_credentials("127.0.0.1", "shared.name")) as server:
        yield server


@pytest.fixture
def root(tmp_path: Path) -> str:
    return write(tmp_path, root=OURS.root)["root"]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("t0ken\n")
    return path


def test_a_command_trusts_the_authority_that_it_is_given(secure: FakeServer, root: str) -> None:
    assert numbatch("health", "--server", secure.address, "--root-certificates", root).code == 0
    untrusted = numbatch("health", "--server", secure.address, "--tls")
    assert (untrusted.code, "unable to get local issuer certificate" in untrusted.out) == (4, True)
    assert numbatch("health", "--server", secure.address, "--root-certificates", root, "--no-tls").code == 4


def test_the_environment_does_as_well(secure: FakeServer, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBATCH_ROOT_CERTIFICATES", root)
    monkeypatch.setenv("NUMBATCH_SERVER", secure.address)
    assert numbatch("health").code == 0


def test_the_token_in_a_file_goes_with_every_call(secure: FakeServer, root: str, token_file: Path) -> None:
    security = ("--root-certificates", root, "--token-file", token_file)
    outcome = numbatch("infer", "double", "-", "--server", secure.address, *security, stdin="1,2\n", terminal=False)
    assert outcome.code == 0, outcome.err
    assert {metadata["authorization"] for metadata in secure.metadata} == {"Bearer t0ken"}
    assert STREAM_INFER in secure.calls


def test_a_token_for_another_machine_needs_tls_or_a_word(token_file: Path) -> None:
    command = ("health", "--server", "192.0.2.1:8001", "--token-file", token_file, "--timeout", 0.1)
    refused = numbatch(*command)
    assert (refused.code, "a token for 192.0.2.1:8001 without TLS" in refused.err) == (2, True)
    assert "t0ken" not in refused.err
    assert numbatch(*command, "--allow-plaintext-token").code == 4


def test_several_servers_take_turns(secure: FakeServer, root: str) -> None:
    with FakeServer(credentials=OURS.server_credentials("shared.name")) as other:
        servers = f"{secure.address},{other.address}"
        command = ("health", "--server", servers, "--root-certificates", root)
        assert numbatch(*command, "--target-name-override", "shared.name").code == 0
        unnamed = numbatch(*command)
        assert (unnamed.code, "target_name_override" in unnamed.err) == (2, True)


def test_a_file_that_is_not_there_is_a_wrong_command_line(secure: FakeServer) -> None:
    outcome = numbatch("health", "--server", secure.address, "--root-certificates", "/nowhere.pem")
    assert (outcome.code, "--root-certificates" in outcome.err) == (2, True)
    assert INFER not in secure.calls


@pytest.mark.parametrize("content", ["", "\n", "two words"])
def test_a_file_without_a_token_is_refused(token_file: Path, content: str) -> None:
    token_file.write_text(content)
    assert numbatch("health", "--token-file", token_file).code == 2
