"""How a channel to the server is set up."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from numbatch.client._address import Target
from numbatch.client._calls import RETRIED_METHODS
from numbatch.client._security import Security, Tls, Token
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason

# A deadline that a person would call infinite is a mistake.
_LONGEST_TIMEOUT_S = 24 * 60 * 60.0

# Channel options are C ints.
_LARGEST_MESSAGE_BYTES = 2**31 - 1

# What changes nothing may be repeated where the server was not there for a moment: it restarts, or a load balancer has
# dropped the connection; of several servers another one answers. A server says with its error if that is pointless.
# Refusals for want of room (RESOURCE_EXHAUSTED) are not repeated: that would make of an overload a worse one.
_RETRIES: dict[str, Any] = {
    "name": [{"service": service, "method": method} for service, method in RETRIED_METHODS],
    "retryPolicy": {
        "maxAttempts": 3,
        "initialBackoff": "0.1s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        # The second is what gRPC's servers say of the calls that their end cuts off.
        "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
    },
}
# The budget: a failure costs one token, a success gives back a tenth, and nothing is repeated while half of the tokens
# or fewer are left. So as many calls as 500 may be cut off at once and go on elsewhere, and where servers stay away the
# client adds a tenth to their load at most.
_BUDGET = {"maxTokens": 1000, "tokenRatio": 0.1}


@dataclass(frozen=True)
class Settings:
    """What a client is made with, checked.

    Attributes
    ----------
    target : Target
        Where the channel leads.
    security : Security
        Certificates and tokens.
    timeout_s : float
        The deadline of calls that name none.
    max_message_bytes : int
        The limit of a message, both ways.
    """

    target: Target
    security: Security
    timeout_s: float
    max_message_bytes: int

    @classmethod
    def checked(
        cls,
        server: str | Sequence[str] | None,
        timeout: float,
        max_message_bytes: int,
        tls: bool | Tls | None,
        token: Token | None,
        allow_plaintext_token: bool,
    ) -> Self:
        """Return the settings, or raise InvalidArgumentError (INVALID_FIELD) for the one that is wrong."""
        if not 1 <= max_message_bytes <= _LARGEST_MESSAGE_BYTES:
            expected = f"1 to {_LARGEST_MESSAGE_BYTES}"
            raise error(Reason.INVALID_FIELD, field="max_message_bytes", got=max_message_bytes, expected=expected)
        target = Target.of(server)
        security = Security.checked(target, tls, token, allow_plaintext_token=allow_plaintext_token)
        return cls(target, security, checked_timeout(timeout), max_message_bytes)

    def open_channel(self, stack: Any) -> Any:
        """Open a channel of one of gRPC's stacks, `grpc` or `grpc.aio`."""
        options = self._options() + self.security.channel_options()
        if self.security.credentials is None:
            return stack.insecure_channel(self.target.uri, options)
        return stack.secure_channel(self.target.uri, self.security.credentials, options)

    def _options(self) -> list[tuple[str, Any]]:
        return [
            ("grpc.max_send_message_length", self.max_message_bytes),
            ("grpc.max_receive_message_length", self.max_message_bytes),
            ("grpc.service_config", json.dumps(self._service_config())),
            # Beyond this size nothing is repeated, silently; the default is 256 KiB.
            ("grpc.per_rpc_retry_buffer_size", self.max_message_bytes),
            # A restarted server is found again within two seconds; the default is two minutes.
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2_000),
            # A name is looked up again where a server is lost, and that soon: within the default, 30 s, all servers may
            # have been replaced.
            ("grpc.dns_min_time_between_resolutions_ms", 5_000),
            # A server that vanished without a word is noticed during a call.
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.keepalive_timeout_ms", 10_000),
            # A client of its own means a connection of its own, which may reach another worker of the server.
            ("grpc.use_local_subchannel_pool", 1),
            # No proxy leads to this machine, whatever http_proxy says.
            ("grpc.enable_http_proxy", int(not self.target.is_local)),
        ]

    def _service_config(self) -> dict[str, Any]:
        config = {
            "loadBalancingConfig": [{"round_robin": {}}],
            "methodConfig": [_RETRIES],
            "retryThrottling": _BUDGET,
        }
        # gRPC watches grpc.health.v1 on each connection; a server that does not have it counts as ready.
        return config | {"healthCheckConfig": {"serviceName": ""}} if self.target.is_balanced else config


def checked_timeout(timeout: float) -> float:
    """Return a timeout in seconds, or raise InvalidArgumentError (INVALID_FIELD): no call may wait for ever."""
    if not 0 < timeout <= _LONGEST_TIMEOUT_S:  # nan fails every comparison
        expected = f"seconds, more than 0 and at most {_LONGEST_TIMEOUT_S:.0f}"
        raise error(Reason.INVALID_FIELD, field="timeout", got=timeout, expected=expected)
    return float(timeout)
