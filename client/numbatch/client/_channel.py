"""Where the server is, and how a channel to it is set up."""

import json
import os
import re
from dataclasses import dataclass
from typing import Self

from numbatch.client._calls import RETRIED_METHODS
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

DEFAULT_SERVER = "127.0.0.1:8001"
SERVER_VARIABLE = "NUMBATCH_SERVER"

# A deadline that a person would call infinite is a mistake.
_LONGEST_TIMEOUT_S = 24 * 60 * 60.0

# Channel options are C ints.
_LARGEST_MESSAGE_BYTES = 2**31 - 1

_HOST_AND_PORT = re.compile(r"(?:dns:///)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})")
_LOOPBACK = re.compile(r"(?:dns:///)?(?:localhost|127\.[0-9.]+|\[::1\]):[0-9]+|unix:.+")

# Inference changes nothing, so it may be repeated where the server was not there for a moment: it restarts, or a load
# balancer has dropped the connection. The throttle ends the repeating where the server stays away.
_SERVICE_CONFIG = json.dumps(
    {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": [
            {
                "name": [{"service": service, "method": method} for service, method in RETRIED_METHODS],
                "retryPolicy": {
                    "maxAttempts": 3,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "1s",
                    "backoffMultiplier": 2,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
)


@dataclass(frozen=True)
class Settings:
    """What a client is made with, checked.

    Attributes
    ----------
    server : str
        The target of the channel.
    timeout_s : float
        The deadline of calls that name none.
    max_message_bytes : int
        The limit of a message, both ways.
    """

    server: str
    timeout_s: float
    max_message_bytes: int

    @classmethod
    def checked(cls, server: str | None, timeout: float, max_message_bytes: int) -> Self:
        """Return the settings, or raise InvalidArgumentError (INVALID_FIELD) for the one that is wrong."""
        if not 1 <= max_message_bytes <= _LARGEST_MESSAGE_BYTES:
            expected = f"1 to {_LARGEST_MESSAGE_BYTES}"
            raise error(Reason.INVALID_FIELD, field="max_message_bytes", got=max_message_bytes, expected=expected)
        return cls(_target(server), checked_timeout(timeout), max_message_bytes)

    def channel_options(self) -> list[tuple[str, int | str]]:
        """Return the options of a channel of either stack."""
        return [
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.service_config", _SERVICE_CONFIG),
            # Beyond this size nothing is repeated, silently; the default is 256 KiB.
            ("grpc.per_rpc_retry_buffer_size", self.max_message_bytes),
            # A restarted server is found again within two seconds; the default is two minutes.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            # A server that vanished without a word is noticed during a call.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            # A client of its own means a connection of its own, which may reach another worker of the server.
            ("grpc.use_local_subchannel_pool", 1),
            # No proxy leads to this machine, whatever http_proxy says.
            ("grpc.enable_http_proxy", int(_LOOPBACK.fullmatch(self.server) is None)),
        ]


def checked_timeout(timeout: float) -> float:
    """Return a timeout in seconds, or raise InvalidArgumentError (INVALID_FIELD): no call may wait for ever."""
    if not 0 < timeout <= _LONGEST_TIMEOUT_S:  # nan fails every comparison
        expected = f"seconds, more than 0 and at most {_LONGEST_TIMEOUT_S:.0f}"
        raise error(Reason.INVALID_FIELD, field="timeout", got=timeout, expected=expected)
    return float(timeout)


def _target(server: str | None) -> str:
    if server is not None:
        field, target = "server", server
    else:
        field, target = SERVER_VARIABLE, os.environ.get(SERVER_VARIABLE) or DEFAULT_SERVER
    if re.fullmatch(r"unix:.+", target):
        return target
    match = _HOST_AND_PORT.fullmatch(target)
    if match is None or not 1 <= int(match["port"]) <= 65535:
        raise _no_address(field, target)
    return target


def _no_address(field: str, target: str) -> NumbatchError:
    return error(
        Reason.INVALID_FIELD,
        "not an address",
        field=field,
        got=repr(target),
        expected=f'HOST:PORT such as "{DEFAULT_SERVER}", or unix:PATH',
        hint="leave out the scheme" if re.match(r"(?!dns:)\w+://", target) else "",
    )
