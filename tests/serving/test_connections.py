"""Connections to a port are counted, those from it and others are not."""

import socket
from pathlib import Path

from numbatch.serving.observability.connections import count_connections

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
LISTENS = "   0: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n"
SERVER_END = "   1: 0100007F:1F41 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2\n"
CLIENT_END = "  10: 0100007F:C350 0100007F:1F41 01 00000000:00000000 00:00000000 00000000     0        0 3\n"
CLOSING = "   3: 0100007F:1F41 0100007F:C351 06 00000000:00000000 03:00000000 00000000     0        0 4\n"
IPV6 = "   0: 00000000000000000000000001000000:1F41 00000000000000000000000001000000:C352 01 00000000:00000000\n"


def test_those_that_are_established_at_the_servers_end_count(tmp_path: Path) -> None:
    four, six = tmp_path / "tcp", tmp_path / "tcp6"
    four.write_text(HEADER + LISTENS + SERVER_END + CLIENT_END + CLOSING)
    six.write_text(HEADER + IPV6)
    assert count_connections(0x1F41, [four, six]) == 2
    assert count_connections(0x1F41, [four, tmp_path / "missing"]) == 1
    assert count_connections(0xC350, [four]) == 1


def test_where_nothing_is_told_there_is_no_count(tmp_path: Path) -> None:
    assert count_connections(8001, [tmp_path / "missing"]) is None


def test_this_machine_tells_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert count_connections(port) == 0
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0]:
            assert count_connections(port) == 1
