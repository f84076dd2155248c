"""What gRPC itself is told: sizes, counts and ages that it keeps."""

import resource

from numbatch.serving.config import ServerConfig

# Files of a process that are no connections: the log, the loop, libraries, models that are being loaded.
_FILES_OF_ITS_OWN = 32

# As fast as gRPC's guess with messages of 128 KiB over loopback; with 1 MiB they took a third longer.
_READ_AHEAD_BYTES = 4 * 2**20


# Calls that have arrived and wait for the event loop. Between the two gRPC ends some of them at random, beyond the
# second all: as CANCELLED, without a reason, which nobody tries again. By default that begins at 1000, fewer than one
# connection may have in progress; as many as these wait for two to four seconds.
_MOST_WAITING, _NO_MORE_WAITING = 8 * 1024, 16 * 1024


def server_options(config: ServerConfig, *, share_port: bool = False) -> list[tuple[str, int]]:
    """Return the options of the gRPC server; with `share_port`, of one of several on the same port."""
    options = [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.max_send_message_length", config.max_message_bytes),
        # By default two servers share a port without a word.
        ("grpc.so_reuseport", int(share_port)),
        # The second is where calls are refused for certain; between the two gRPC refuses some at random.
        ("grpc.max_metadata_size", config.max_metadata_bytes),
        ("grpc.absolute_max_metadata_size", config.max_metadata_bytes),
        ("grpc.max_concurrent_streams", config.max_concurrent_streams),
        ("grpc.server.max_pending_requests", _MOST_WAITING),
        ("grpc.server.max_pending_requests_hard_limit", _NO_MORE_WAITING),
        ("grpc.max_allowed_incoming_connections", config.max_connections or connections_by_default()),
        # Clients may keep their connections alive with a ping every 10 s, also when idle.
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # A client that has vanished, or is stopped, is noticed: its connection and its calls end after so long.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # What a peer may send of a stream before it is read. By default gRPC guesses it from the connection's speed: a
        # hundred streams over one connection, whose requests were not read, took 6 GB of memory.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", min(_READ_AHEAD_BYTES, config.stream_window_bytes)),
        ("grpc.enable_channelz", 0),
    ]
    if config.max_connection_age_s is not None:
        options += [
            ("grpc.max_connection_age_ms", round(config.max_connection_age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", round(config.max_connection_age_grace_s * 1000)),
        ]
    return options


def connections_by_default() -> int:
    """Return how many connections leave the process some files to open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return 2**31 - 1
    return max(1, min(soft, 2**31 - 1) - _FILES_OF_ITS_OWN)
