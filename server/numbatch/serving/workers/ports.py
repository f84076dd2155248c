"""The port that workers share: the supervisor keeps it, from before the first listens until the last has ended."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from numbatch.serving.address import listen_alone, new_socket, unix_path, with_port
from numbatch.serving.config import ServerConfig
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# The fields of the configuration that name an address to listen on.
_ADDRESSES = ("listen", "http_listen")


@contextmanager
def reserved_ports(config: ServerConfig) -> Iterator[ServerConfig]:
    """Keep the addresses of a configuration for processes that share them, as long as the context lasts.

    What is kept does not listen: a connection is refused until a worker does. Gives the configuration with the ports
    that they are.

    Raises
    ------
    OSError
        If an address cannot be had; the message says why and what to do.
    InvalidArgumentError
        INVALID_FIELD, if it is none that processes can share.
    """
    with ExitStack() as kept:
        named = {name: value for name in _ADDRESSES if (value := getattr(config, name))}
        addresses: dict[str, Any] = {name: _reserve(name, value, kept) for name, value in named.items()}
        yield replace(config, **addresses)


def _reserve(field: str, text: str, kept: ExitStack) -> str:
    if unix_path(text) is not None:
        expected = "host:port, or workers=1"
        raise error(
            Reason.INVALID_FIELD, "workers cannot share a Unix socket", field=field, got=text, expected=expected
        )
    with ExitStack() as probes:
        for alone in [probes.enter_context(probe) for probe in listen_alone(text, field)]:
            # Nobody else has it. What keeps it is bound before this one is closed.
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared = kept.enter_context(new_socket(alone.family))
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            shared.bind(alone.getsockname())
            # Without it, the port is in use for all who do not share it knowingly.
            shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            port = alone.getsockname()[1]
    return with_port(text, port)
