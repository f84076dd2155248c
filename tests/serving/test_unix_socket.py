"""Listening on a unix socket: whose file it is, and what becomes of it."""

import errno
import socket
import stat
from pathlib import Path

import pytest

from numbatch.client import Client
from numbatch.serving.config import ServerConfig
from numbatch.serving.unix_socket import clear_stale
from numbatch.wire.errors import InvalidArgumentError
from support.command import numbatch
from support.raw_calls import raw_calls
from support.server import running_server
from support.tiny import tiny_model


def left_behind(path: Path) -> None:
    """Make the file of a server that died."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


@pytest.mark.parametrize("scheme", ["unix:", "unix://"])
def test_clients_and_commands_reach_a_server_on_a_unix_socket(tmp_path: Path, scheme: str) -> None:
    path = tmp_path / "numbatch.sock"
    rows = tmp_path / "rows.csv"
    rows.write_text("1,2\n")
    with running_server([tiny_model()], listen=f"{scheme}{path}") as server:
        assert server.address == f"unix:{path}"
        with Client(server.address) as client:
            assert client.infer("tiny", [[1, 2]]).tolist() == [[2, 4]]
            assert len(list(client.stream("tiny", [[[1, 2]]] * 3))) == 3
        assert numbatch("health", "tiny", "--server", server.address).code == 0
        assert numbatch("infer", "tiny", rows, "--server", server.address).out.splitlines()[1:] == ["2.0,4.0"]


def test_its_file_is_for_the_owner_and_the_group_and_goes_with_the_server(tmp_path: Path) -> None:
    path = tmp_path / "numbatch.sock"
    with running_server(listen=f"unix:{path}"):
        assert stat.filemode(path.lstat().st_mode) == "srw-rw----"
    assert not path.exists()


def test_the_file_of_a_server_that_died_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "numbatch.sock"
    left_behind(path)
    with running_server([tiny_model()], listen=f"unix:{path}") as server, raw_calls(server.address) as calls:
        assert calls.health() == "SERVING"


def test_the_socket_of_a_server_that_lives_is_left_to_it(tmp_path: Path) -> None:
    listen = f"unix:{tmp_path}/numbatch.sock"
    with running_server([tiny_model()], listen=listen) as first:
        with pytest.raises(OSError, match=r"numbatch\.sock: a server listens there; stop it, or choose") as refused:
            with running_server(listen=listen):
                pytest.fail("two servers share a socket")
        assert refused.value.errno == errno.EADDRINUSE
        with raw_calls(first.address) as calls:
            assert calls.health() == "SERVING"


def test_a_server_that_lives_and_accepts_nobody_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "busy.sock"
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as caller:
        busy.bind(str(path))
        busy.listen(0)
        caller.connect(str(path))  # its queue is full now
        with pytest.raises(OSError, match="a server listens there"):
            clear_stale(path)


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("notes")
    with (
        pytest.raises(OSError, match=r"notes\.txt: there is a file that is no socket"),
        running_server(listen=f"unix:{path}"),
    ):
        pytest.fail("started")
    assert path.read_text() == "notes"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"there is no folder {tmp_path}/missing; create it"):
        clear_stale(tmp_path / "missing" / "numbatch.sock")


def test_a_path_that_no_socket_can_have_is_refused_at_once() -> None:
    with pytest.raises(InvalidArgumentError, match="the path of a unix socket is too long"):
        ServerConfig(listen="unix:/" + "x" * 107)
    ServerConfig(listen="unix:/" + "x" * 106)
