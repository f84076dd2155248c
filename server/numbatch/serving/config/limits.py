"""Options: what one peer may take up of the server."""

from dataclasses import dataclass

from numbatch.serving.config.options import Options, option

_LARGEST = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class LimitOptions(Options):
    """What one peer may take up."""

    max_metadata_bytes: int = option(
        16 * 1024,
        "The most metadata that a call may carry, in bytes; tokens and trace contexts are metadata.",
        least=1024,
        most=1024 * 1024,
    )
    max_concurrent_streams: int = option(
        1024,
        "How many calls one connection may have in progress; further ones wait in the client.",
        least=1,
        most=_LARGEST,
    )
    max_connections: int | None = option(
        None,
        "How many connections are accepted; further ones are closed at once. Without it, as many as the process may "
        "have open files, less some for itself.",
        least=1,
        most=_LARGEST,
    )
    max_connection_age_s: float | None = option(
        None,
        "Ask clients to connect anew after so long, so that they find servers that were added behind a load balancer. "
        "Without it: never.",
        metavar="SECONDS",
        least=1,
        most=_LARGEST // 1000,
    )
    max_connection_age_grace_s: float = option(
        30.0,
        "How long the calls of such a connection may take to finish before they are ended with it.",
        metavar="SECONDS",
        least=0,
        most=_LARGEST // 1000,
    )
    stream_window: int = option(
        8,
        "How many requests of one stream are read before the first of them is answered.",
        least=1,
        most=1024,
    )
    stream_window_bytes: int = option(
        64 * 2**20,
        "No further request of a stream is read while those that are not answered take up so many bytes. As many, but "
        "at most some 4 MiB, may have arrived beyond that.",
        least=1024,
    )
    stream_stall_s: float = option(
        30.0,
        "How long a peer may leave its answers unread. Its stream then ends with STREAM_STALLED; if after as long "
        "again it has not even read that, its call is dropped.",
        metavar="SECONDS",
        least=0.001,
        most=_LARGEST // 1000,
    )
