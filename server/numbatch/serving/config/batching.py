"""Options: which requests run together, and how many may wait."""

from dataclasses import dataclass

from numbatch.batching.limits import DEFAULT_LIMITS
from numbatch.serving.config.options import Options, option


@dataclass(frozen=True, kw_only=True)
class BatchingOptions(Options):
    """Which requests run together, and how many may wait."""

    max_batch_size: int = option(
        DEFAULT_LIMITS.max_batch_size,
        "Most rows of one model that run together. A request with more runs in pieces.",
        least=1,
        most=2**20,
    )
    max_queue_delay_us: int = option(
        round(DEFAULT_LIMITS.max_queue_delay_s * 1e6),
        "How long a request may wait for others to run with while nothing else is to be done, in microseconds. 0: what "
        "waits is run as soon as a thread is idle.",
        least=0,
        most=10_000_000,
    )
    max_queued_rows: int = option(
        DEFAULT_LIMITS.max_queued_rows,
        "Most rows of one model that wait. Over this and the next limits, requests are refused at once with "
        "RESOURCE_EXHAUSTED, the limit's name, and when to try again.",
        least=1,
    )
    max_queued_bytes: int = option(
        DEFAULT_LIMITS.max_queued_bytes,
        "Most bytes, inputs and outputs, of one model's requests that wait.",
        least=1,
    )
    max_in_flight: int = option(
        DEFAULT_LIMITS.max_in_flight,
        "Most requests of one model that wait or run.",
        least=1,
    )
    max_bytes_in_flight: int = option(
        512 * 2**20,
        "Most bytes, inputs and outputs, of all requests that wait or run.",
        least=1,
    )
