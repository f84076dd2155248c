"""Where the server is, or several of them, as gRPC is told it. Pure."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

DEFAULT_SERVER = "127.0.0.1:8001"
SERVER_VARIABLE = "NUMBATCH_SERVER"

_ADDRESS = re.compile(r"(?P<dns>dns:///)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\],]+):(?P<port>[0-9]{1,5})")
_UNIX = re.compile(r"unix:[^,]+")
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[::1\]")


@dataclass(frozen=True)
class Target:
    """What a channel is opened to.

    Attributes
    ----------
    text : str
        As people wrote it.
    uri : str
        As gRPC takes it.
    is_local : bool
        Whether it is this machine.
    is_balanced : bool
        Whether calls are spread over servers, and only over those that say that they are ready. One HOST:PORT is asked
        as it is, ready or not, so that it can say what it waits for.
    has_one_name : bool
        Whether a certificate can be compared with the name in it.
    """

    text: str
    uri: str
    is_local: bool
    is_balanced: bool
    has_one_name: bool

    @classmethod
    def of(cls, server: str | Sequence[str] | None) -> Self:
        """Return the target of what a caller gave, else of the environment, else of this machine.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD.
        """
        field = "server"
        if server is None:
            field, server = SERVER_VARIABLE, os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER
        addresses = server.split(",") if isinstance(server, str) else list(server)
        addresses = [address.strip() for address in addresses]
        text = ",".join(addresses)
        if len(addresses) == 1 and _UNIX.fullmatch(text):
            return cls(text, text, is_local=True, is_balanced=False, has_one_name=True)
        parts = [_parts(field, address) for address in addresses] or [_parts(field, "")]
        is_local = all(_LOOPBACK.fullmatch(part["host"]) for part in parts)
        if len(parts) == 1:
            balanced = parts[0]["dns"] is not None
            return cls(text, text, is_local=is_local, is_balanced=balanced, has_one_name=True)
        uri = _list_of_addresses([_ip_and_port(field, part) for part in parts])
        return cls(text, uri, is_local=is_local, is_balanced=True, has_one_name=False)


def _parts(field: str, address: str) -> re.Match[str]:
    match = _ADDRESS.fullmatch(address)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise _no_address(field, address)
    return match


def _ip_and_port(field: str, part: re.Match[str]) -> tuple[IPv4Address | IPv6Address, str]:
    host = "127.0.0.1" if part["host"] == "localhost" else part["host"].strip("[]")
    try:
        return ip_address(host), part["port"]
    except ValueError:
        raise error(
            Reason.INVALID_FIELD,
            "a name among several servers",
            field=field,
            got=repr(part[0]),
            expected="IP addresses, as those of a name may change",
            hint="one name that has the addresses of all servers is followed when they change: dns:///NAME:PORT",
        ) from None


def _list_of_addresses(addresses: list[tuple[IPv4Address | IPv6Address, str]]) -> str:
    if all(isinstance(ip, IPv4Address) for ip, _ in addresses):
        return "ipv4:" + ",".join(f"{ip}:{port}" for ip, port in addresses)
    # gRPC's lists have one family; an IPv4 address has a form as an IPv6 address.
    mapped = ((f"::ffff:{ip}" if isinstance(ip, IPv4Address) else str(ip), port) for ip, port in addresses)
    return "ipv6:" + ",".join(f"[{ip}]:{port}" for ip, port in mapped)


def _no_address(field: str, address: str) -> NumbatchError:
    return error(
        Reason.INVALID_FIELD,
        "not an address",
        field=field,
        got=repr(address),
        expected=f'HOST:PORT such as "{DEFAULT_SERVER}", several of them, or one dns:///NAME:PORT or unix:PATH',
        hint="leave out the scheme" if re.match(r"(?!dns:)\w+://", address) else "",
    )
