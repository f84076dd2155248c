"""Addresses that cannot be had say why, and what to do."""

import errno
import socket
from collections.abc import Iterator

import pytest

from numbatch.serving.address import check_free
from support.server import running_server


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_free_port_is_still_free_after_the_check() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for _ in range(2):
        check_free(f"127.0.0.1:{port}")


def test_a_port_in_use_is_named(taken: int) -> None:
    with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{taken}: the port is in use; stop what") as refused:
        check_free(f"127.0.0.1:{taken}")
    assert refused.value.errno == errno.EADDRINUSE


def test_a_port_in_use_on_one_of_several_addresses_is_in_use(taken: int) -> None:
    with pytest.raises(OSError, match="the port is in use"):
        check_free(f"localhost:{taken}")


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0: this machine has no such address"):
        check_free("192.0.2.1:0")


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(OSError, match=r"host 'no\.such\.host\.invalid' is unknown"):
        check_free("no.such.host.invalid:0")


def test_a_second_server_on_the_same_port_is_refused_and_the_first_goes_on() -> None:
    with running_server() as first:
        with pytest.raises(OSError, match="the port is in use"), running_server(listen=first.address):
            pytest.fail("two servers share a port")
        assert first.server.info.address == first.address
