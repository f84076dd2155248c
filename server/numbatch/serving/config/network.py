"""Options: where the server listens, and what a peer may send."""

from dataclasses import dataclass

from numbatch.serving.address import check_address, parse_address
from numbatch.serving.config.options import Options, option

# The length of a message is an int32, in protobuf and in gRPC.
_MAX_MESSAGE_BYTES = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(Options):
    """Where the server listens, and what a peer may send."""

    listen: str = option(
        "127.0.0.1:8001",
        "Where to listen. Port 0: a free one. 0.0.0.0: on every interface. An IPv6 address stands in brackets. "
        "unix:PATH: on a unix socket, which the server's user and group may use.",
        metavar="HOST:PORT",
        check=check_address,
    )
    http_listen: str = option(
        "127.0.0.1:8002",
        "Where to answer HTTP: the Open Inference Protocol (/v2), /metrics for Prometheus, /livez, /readyz. Port 0: a "
        "free one. Empty: nowhere.",
        metavar="HOST:PORT",
        check=parse_address,
    )
    max_message_bytes: int = option(
        64 * 2**20,
        "The largest message that is accepted or sent, in bytes. Clients have a limit as well.",
        least=1024,
        most=_MAX_MESSAGE_BYTES,
    )
    max_json_bytes: int = option(
        16 * 2**20,
        "The most JSON that a request over HTTP may have, in bytes; binary data come beside it. While JSON "
        "is read nothing else is, and in memory it may become twenty times as large.",
        least=1024,
        most=_MAX_MESSAGE_BYTES,
    )
