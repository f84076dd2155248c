"""Addresses to listen on: parsing them, and saying why one cannot be had."""

import errno
import os
import re
import socket
from typing import Any

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# A host name or IPv4 address, or an IPv6 address in brackets; then the port.
_ADDRESS = re.compile(r"(?P<host>[^\s:\[\]]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")

# Addresses of a family that this machine does not have are left out.
_NOT_HERE = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def parse_address(text: str, field: str = "listen") -> tuple[str, int]:
    """Return the host, without brackets, and the port of "host:port".

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65535:
        expected = "host:port such as 127.0.0.1:8001, [::1]:8001, or port 0 for a free one"
        raise error(Reason.INVALID_FIELD, "no address to listen on", field=field, got=repr(text), expected=expected)
    return match["host"].strip("[]"), int(match["port"])


def check_free(text: str) -> None:
    """Try to bind every address that "host:port" stands for, and let go of it again.

    gRPC is content with one of several addresses ("localhost" may be two) and does not say why it got none.

    Raises
    ------
    OSError
        If one of them is in use, not permitted, or the host is unknown; the message says what to do.
    """
    host, port = parse_address(text)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as unknown:
        raise OSError(
            f"cannot listen on {text}: host {host!r} is unknown; name an address of this machine"
        ) from unknown
    failures = [failed for family, *_, address in found if (failed := _try(family, address)) is not None]
    for failed in failures:
        if failed.errno not in _NOT_HERE or len(failures) == len(found):
            raise _explained(text, failed) from failed


def _try(family: int, address: tuple[Any, ...]) -> OSError | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # As gRPC does: a port whose last connections are still fading is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
            # Linux lets two sockets with SO_REUSEADDR bind one port as long as neither listens.
            probe.listen(1)
    except OSError as failed:
        return failed
    return None


def _explained(text: str, failed: OSError) -> OSError:
    advice = {
        errno.EADDRINUSE: "the port is in use; stop what uses it, or choose another port (0: a free one)",
        errno.EACCES: "no permission; choose a port from 1024 up",
        errno.EADDRNOTAVAIL: "this machine has no such address; 0.0.0.0 stands for all that it has",
    }
    because = advice.get(failed.errno or 0, os.strerror(failed.errno or 0))
    return OSError(failed.errno, f"cannot listen on {text}: {because}")
