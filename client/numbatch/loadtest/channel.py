"""Channels as load tests want them: calls are sent once, at once, and over connections of their own."""

import json
from collections.abc import Callable
from typing import Any

from numbatch.client._address import Target
from numbatch.client._errors import CallDetails, errors_of
from numbatch.client._security import Security

_MAX_MESSAGE_BYTES = 2**31 - 1


def open_channel(stack: Any, target: Target, security: Security) -> Any:
    """Open a channel of one of gRPC's stacks, `grpc` or `grpc.aio`.

    What a caller's channel does to hide a failure is off: nothing is repeated.
    """
    config: dict[str, Any] = {"loadBalancingConfig": [{"round_robin": {}}]}
    if target.is_balanced:
        config["healthCheckConfig"] = {"serviceName": ""}
    options = [
        ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
        ("grpc.service_config", json.dumps(config)),
        ("grpc.enable_retries", 0),
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # Channels with the same options would share a connection.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", int(not target.is_local)),
        *security.channel_options(),
    ]
    if security.credentials is None:
        return stack.insecure_channel(target.uri, options)
    return stack.secure_channel(target.uri, security.credentials, options)


def blocking_call(channel: Any, target: Target, security: Security, timeout_s: float) -> Callable[..., bytes]:
    """Return a function that calls a method and raises what went wrong as a NumbatchError."""

    def call(method: str, request: bytes, model: str = "", version: int = 0) -> bytes:
        details = CallDetails(target.text, timeout_s, model=model, version=version)
        with errors_of(details):
            answer: bytes = channel.unary_unary(method)(
                request, timeout=timeout_s, metadata=security.metadata(), wait_for_ready=False
            )
            return answer

    return call
