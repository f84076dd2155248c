"""Addresses to listen on: parsing them, and saying why one cannot be had."""

import errno
import ipaddress
import os
import re
import socket
from typing import Any

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# A host name or IPv4 address, or an IPv6 address in brackets; then the port.
_ADDRESS = re.compile(r"(?P<host>[^\s:\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")

_HOST_AND_PORT = "host:port such as 127.0.0.1:8001, [::1]:8001, port 0 for a free one"

_UNIX = re.compile(r"unix:(?://(?=/))?(?P<path>[^\0]+)")

# Linux keeps the path of a socket in 108 bytes, the last of them a zero.
_LONGEST_PATH = 107

# Addresses of a family that this machine does not have are left out.
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def parse_address(text: str, field: str = "listen", expected: str = _HOST_AND_PORT) -> tuple[str, int]:
    """Return the host, without brackets, and the port of "host:port".

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        raise error(Reason.INVALID_FIELD, "no address to listen on", field=field, got=repr(text), expected=expected)
    return match["host"].strip("[]"), int(match["port"])


def check_address(text: str, field: str = "listen") -> None:
    """Refuse what is neither "host:port" nor "unix:path".

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    path = unix_path(text)
    if path is None:
        parse_address(text, field, f"{_HOST_AND_PORT}; or unix:/path")
    elif len(os.fsencode(path)) > _LONGEST_PATH:
        problem = "the path of a unix socket is too long"
        raise error(
            Reason.INVALID_FIELD, problem, field=field, got=repr(text), expected=f"at most {_LONGEST_PATH} bytes"
        )


def unix_path(text: str) -> str | None:
    """Return the path of "unix:path" or "unix:///path"; None if it is no such address."""
    match = _UNIX.fullmatch(text)
    return None if match is None else match["path"]


def is_local(text: str) -> bool:
    """Whether only this machine can reach a server that listens there: loopback, or a unix socket."""
    if unix_path(text) is not None:
        return True
    host, _ = parse_address(text)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def with_port(text: str, port: int) -> str:
    """Return "host:port" with the port that it is."""
    return f"{text.rpartition(':')[0]}:{port}"


def port_of(text: str) -> int:
    """Return the port of "host:port"; 0 where there is none, as of a unix socket, or before there is an address."""
    match = _ADDRESS.fullmatch(text)
    return int(match["port"]) if match else 0


def check_free(text: str, field: str = "listen") -> None:
    """Try to listen on every address that "host:port" stands for, and let go of it again.

    gRPC is content with one of several addresses ("localhost" may be two) and does not say why it got none.

    Raises
    ------
    OSError
        If one of them is in use, not permitted, or the host is unknown; the message says what to do.
    """
    for probe in listen_alone(text, field):
        probe.close()


def listen_alone(text: str, field: str = "listen") -> list[socket.socket]:
    """Listen on every address that "host:port" stands for, of one port if it is 0, as the only process that does.

    Raises
    ------
    OSError
        As `check_free`.
    """
    try:
        return _listen_on_all(text, *parse_address(text, field))
    except OSError as failed:
        if field == "listen":
            raise
        # Two addresses are listened on: say which option this one is.
        raise OSError(failed.errno, f'{failed.strerror or failed} ({field}; "" for no HTTP)') from failed


def new_socket(family: int) -> socket.socket:
    """Return a socket that may be bound as gRPC's may: to a port whose last connections are still fading."""
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def _listen_on_all(text: str, host: str, port: int) -> list[socket.socket]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as unknown:
        raise OSError(
            f"cannot listen on {text}: host {host!r} is unknown; name an address of this machine"
        ) from unknown
    listening: list[socket.socket] = []
    failures: list[OSError] = []
    for family, *_, address in found:
        try:
            listening.append(_listen(family, (address[0], port, *address[2:])))
            port = listening[0].getsockname()[1]
        except OSError as unusable:
            failures.append(unusable)
    for failed in failures:
        if failed.errno not in _NOT_HERE or len(failures) == len(found):
            for each in listening:
                each.close()
            raise _explained(text, failed) from failed
    return listening


def _listen(family: int, address: tuple[Any, ...]) -> socket.socket:
    made = new_socket(family)
    try:
        made.bind(address)
        # Linux lets two sockets with SO_REUSEADDR bind one port as long as neither listens.
        made.listen(1)
    except OSError:
        made.close()
        raise
    return made


def _explained(text: str, failed: OSError) -> OSError:
    advice = {
        errno.EADDRINUSE: "the port is in use; stop what uses it, or choose another port (0: a free one)",
        errno.EACCES: "no permission; choose a port from 1024 up",
        errno.EADDRNOTAVAIL: "this machine has no such address; 0.0.0.0 stands for all that it has",
    }
    because = advice.get(failed.errno or 0, os.strerror(failed.errno or 0))
    return OSError(failed.errno, f"cannot listen on {text}: {because}")
