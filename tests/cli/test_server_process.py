"""The server that the demo starts: ready when the block begins, gone when it ends, and its last words if it fails."""

import os
from pathlib import Path

import pytest

from numbatch.cli.exits import CommandError, ExitCode
from numbatch.cli.server_process import ServerProcess
from numbatch.client import Client


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_ready_inside_the_block_and_gone_after_it(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        assert is_running(server.pid)
        assert 0 < server.start_up_s < 60
        with Client(server.address) as client:
            assert client.is_ready()
    assert not is_running(server.pid)
    assert not server.log.exists()


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_it_is_gone_after_a_failure_even_if_it_was_to_be_kept(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), ServerProcess(tmp_path) as server:
        server.keep()
        raise failure
    assert not is_running(server.pid)


def test_a_server_that_cannot_start_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(
        CommandError, match="ended with exit code 3 before it was ready; it said: .*no such folder"
    ) as failed:
        ServerProcess(tmp_path / "nowhere").__enter__()
    assert failed.value.exit_code is ExitCode.UNAVAILABLE


def test_a_server_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path, start_deadline_s=0)
    with pytest.raises(CommandError, match="is not ready after 0 s"):
        server.__enter__()
    assert not is_running(server.pid)
