"""The port that is kept for workers."""

import socket

import pytest

from numbatch.serving.address import check_free
from numbatch.serving.config import ServerConfig
from numbatch.serving.workers.ports import reserved_ports
from numbatch.wire.errors import InvalidArgumentError

ANY = ServerConfig(http_listen="", listen="127.0.0.1:0")


def _worker(address: str) -> socket.socket:
    """Listen as gRPC does for a port that is shared."""
    host, _, port = address.rpartition(":")
    sharing = socket.socket()
    sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sharing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sharing.bind((host, int(port)))
    sharing.listen(5)
    return sharing


def _connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=5)


def test_nobody_is_let_in_before_a_worker_listens() -> None:
    with reserved_ports(ANY) as config:
        with pytest.raises(ConnectionRefusedError):
            _connect(config.listen)
        with _worker(config.listen), _worker(config.listen), _connect(config.listen):
            pass


def test_for_others_the_port_is_in_use_with_workers_and_without() -> None:
    with reserved_ports(ANY) as config:
        for _ in range(2):
            with pytest.raises(OSError, match="the port is in use"):
                check_free(config.listen)
            with pytest.raises(OSError, match="the port is in use"), reserved_ports(config):
                pass
            # A worker that comes and goes changes nothing, nor does a connection that fades.
            with _worker(config.listen) as worker, _connect(config.listen), worker.accept()[0]:
                pass
    check_free(config.listen)
    with reserved_ports(config) as again:
        assert again == config


def test_a_host_with_several_addresses_has_one_port() -> None:
    with reserved_ports(ServerConfig(http_listen="", listen="localhost:0")) as config:
        host, _, port = config.listen.rpartition(":")
        assert (host, int(port) > 0) == ("localhost", True)
        with pytest.raises(OSError, match="in use"):
            check_free(config.listen)


def test_an_ipv6_address_keeps_its_brackets() -> None:
    try:
        check_free("[::1]:0")
    except OSError:
        pytest.skip("no IPv6 here")
    with reserved_ports(ServerConfig(http_listen="", listen="[::1]:0")) as config:
        assert config.listen.startswith("[::1]:")


def test_all_of_the_configuration_stays_but_the_port() -> None:
    with reserved_ports(ServerConfig(http_listen="", listen="127.0.0.1:0", stream_window=3)) as config:
        assert config == ServerConfig(http_listen="", listen=config.listen, stream_window=3)


def test_the_port_for_http_is_kept_as_well_and_named_where_it_is_in_use() -> None:
    with reserved_ports(ServerConfig(listen="127.0.0.1:0", http_listen="127.0.0.1:0")) as config:
        assert config.listen != config.http_listen
        with _worker(config.http_listen), _connect(config.http_listen):
            pass
        second = ServerConfig(listen="127.0.0.1:0", http_listen=config.http_listen)
        with pytest.raises(OSError, match='in use.*http_listen; "" for no HTTP'), reserved_ports(second):
            pass


def test_a_unix_socket_cannot_be_shared() -> None:
    config = ServerConfig(http_listen="", listen="unix:/run/numbatch.sock")
    with pytest.raises(InvalidArgumentError, match="workers cannot share a Unix socket"), reserved_ports(config):
        pass
