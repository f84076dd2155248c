"""Ending connections by their sockets: those of one server, and no other."""

import os
import socket
from contextlib import closing, suppress
from pathlib import Path

import pytest

from numbatch.serving.rpc.hang_up import hang_up


def descriptors(end: socket.socket) -> int:
    """Return how many open files of this process are this socket."""
    found = 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # another one, closed meanwhile
            found += os.readlink(f"/proc/self/fd/{number}") == os.readlink(f"/proc/self/fd/{end.fileno()}")
    return found


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_connections_of_one_address_end_after_what_was_written_and_others_go_on(tmp_path: Path, kind: str) -> None:
    def listener(name: str) -> socket.socket:
        if kind == "tcp":
            return socket.create_server(("127.0.0.1", 0))
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(tmp_path / name))
        listening.listen()
        return listening

    def connect(listening: socket.socket) -> tuple[socket.socket, socket.socket]:
        caller = socket.socket(listening.family)
        caller.settimeout(20)
        caller.connect(listening.getsockname())
        return caller, listening.accept()[0]

    with listener("one") as one, listener("other") as other:
        caller, accepted = connect(one)
        other_caller, other_accepted = connect(other)
        with closing(caller), closing(accepted), closing(other_caller), closing(other_accepted):
            hang_up("")  # a server that never listened has none
            accepted.sendall(b"last words")
            name = one.getsockname()
            hang_up(f"unix:{name}" if kind == "unix" else f"{name[0]}:{name[1]}")
            assert [descriptors(end) for end in (accepted, other_accepted)] == [1, 1]
            assert [caller.recv(100), caller.recv(100)] == [b"last words", b""]
            other_accepted.sendall(b"still here")
            assert other_caller.recv(100) == b"still here"
            # The listener is none of them: there can be new ones.
            for end in connect(one):
                end.close()
