"""What a server is told, checked before it starts."""

from pathlib import Path
from typing import Any

import pytest

from numbatch.serving.address import parse_address
from numbatch.serving.config import ServerConfig
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.reasons import Reason


def test_the_defaults_are_a_local_server() -> None:
    config = ServerConfig()
    assert (config.model_repository, config.listen, config.max_message_bytes) == (None, "127.0.0.1:8001", 2**26)


@pytest.mark.parametrize(
    "field",
    [
        {"listen": "127.0.0.1"},  # no port
        {"listen": "127.0.0.1:65536"},
        {"listen": ":8001"},  # no host
        {"listen": "::1:8001"},  # IPv6 without brackets
        {"listen": "http://127.0.0.1:8001"},
        {"weights_precision": "f16"},
        {"max_message_bytes": 1023},
        {"max_message_bytes": 2**31},
        {"compute_threads": 0},
        {"compute_threads": 257},
        {"stream_window": 0},
        {"stream_window": 1025},
        {"stream_window_bytes": 0},
        {"stream_stall_s": 0.0},
        {"max_connections": 0},
        {"max_metadata_bytes": 100},
        {"max_concurrent_streams": 0},
        {"max_connection_age_s": 0.5},
        {"drain_delay_s": -1.0},
        {"repository_control": "maybe"},
        {"listen": "unix:"},
        {"listen": "unix:/" + "x" * 107},
        {"shutdown_grace_s": -1.0},
        {"shutdown_grace_s": float("nan")},
        {"shutdown_grace_s": float("inf")},
        {"log_level": "loud"},
        {"model_control": "always"},
        {"poll_interval_s": 0.01},
        {"model": "digits"},
        {"load_model": "digits,"},
        {"load_model": "../digits"},
        {"version_policy": "latest"},
        {"version_policy": "newest:1"},
        {"load_retries": -1},
        {"load_retry_delay_s": float("inf")},
        {"max_model_memory_bytes": -1},
        {"log_format": "xml"},
        {"http_listen": "8002"},
        {"trace_sample_ratio": -0.1},
        {"trace_sample_ratio": 1.5},
    ],
    ids=str,
)
def test_a_wrong_field_is_named_with_what_came_and_what_was_expected(field: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        ServerConfig(**field)
    ((name, value),) = field.items()
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_FIELD, name)
    assert refused.value.got in (repr(value), str(value))
    assert refused.value.expected


def test_models_come_from_one_place() -> None:
    with pytest.raises(InvalidArgumentError) as refused:
        ServerConfig(model="digits=models/digits", model_repository=Path("models"))
    assert (refused.value.field, refused.value.expected) == ("model", "one of model and model_repository")


def test_a_unix_socket_is_offered_only_where_it_may_be_had() -> None:
    with pytest.raises(InvalidArgumentError, match="or unix:/path"):
        ServerConfig(listen="8001")
    with pytest.raises(InvalidArgumentError) as refused:
        ServerConfig(http_listen="unix:/run/metrics.sock")
    assert refused.value.expected == "host:port such as 127.0.0.1:8001, [::1]:8001, port 0 for a free one"


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8001", "127.0.0.1", 8001), ("[::1]:0", "::1", 0), ("localhost:65535", "localhost", 65535)],
)
def test_addresses_are_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)
