"""What a server is told when it starts."""

import math
from dataclasses import dataclass
from pathlib import Path

from numbatch.serving.address import parse_address
from numbatch.wire.errors import error
from numbatch.wire.precision import checked_precision
from numbatch.wire.reasons import Reason

LOG_LEVELS = ("debug", "info", "warning", "error")

# The length of a message is an int32, in protobuf and in gRPC.
_MAX_MESSAGE_BYTES = 2**31 - 1

# As the engine has it, whose import takes a second that `--help` does not need.
_MAX_COMPUTE_THREADS = 256


@dataclass(frozen=True)
class ServerConfig:
    """Configures a server.

    Attributes
    ----------
    model_repository : Path or None
        The folder that models are loaded from. None: start without models; they can be loaded from messages.
    listen : str
        "host:port"; an IPv6 address in brackets; port 0: a free one.
    weights_precision : str
        "f32" or "bf16": how the weights of models from the repository are kept, unless a request to load one says
        otherwise.
    compute_threads : int or None
        How many threads work on a large batch: 1 to 256. None: as many as there are processors for the process, by its
        affinity and its cgroup's quota. It changes no bit.
    max_message_bytes : int
        The largest message that is accepted or sent: 1024 to 2147483647. Clients have a limit of their own.
    stream_window : int
        How many requests of one stream are read before the first of them is answered: 1 to 1024.
    shutdown_grace_s : float
        How long requests in progress may take to finish once the server is asked to stop, in seconds; 0 or more.
    log_level : str
        "debug", "info", "warning" or "error".

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, naming the field.
    """

    model_repository: Path | None = None
    listen: str = "127.0.0.1:8001"
    weights_precision: str = "f32"
    compute_threads: int | None = None
    max_message_bytes: int = 64 * 2**20
    stream_window: int = 8
    shutdown_grace_s: float = 30.0
    log_level: str = "info"

    def __post_init__(self) -> None:
        parse_address(self.listen)
        checked_precision(self.weights_precision)
        if self.compute_threads is not None:
            _check_range("compute_threads", self.compute_threads, 1, _MAX_COMPUTE_THREADS)
        _check_range("max_message_bytes", self.max_message_bytes, 1024, _MAX_MESSAGE_BYTES)
        _check_range("stream_window", self.stream_window, 1, 1024)
        if not (math.isfinite(self.shutdown_grace_s) and self.shutdown_grace_s >= 0):
            got = self.shutdown_grace_s
            raise error(Reason.INVALID_FIELD, field="shutdown_grace_s", got=got, expected="0 or more, finite")
        if self.log_level not in LOG_LEVELS:
            expected = ", ".join(LOG_LEVELS)
            raise error(Reason.INVALID_FIELD, field="log_level", got=repr(self.log_level), expected=expected)


def _check_range(field: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise error(Reason.INVALID_FIELD, field=field, got=value, expected=f"{lowest} to {highest}")
