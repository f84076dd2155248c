"""Options: which requests run together, and how many may wait."""

from dataclasses import dataclass

from numbatch.batching.limits import BatchLimits
from numbatch.serving.config.options import Options, option


@dataclass(frozen=True, kw_only=True)
class BatchingOptions(Options):
    """Which requests run together, and how many may wait."""

    max_batch_size: int = option(
        1024,
        "Most rows of one model that run together. A request with more runs in pieces.",
        least=1,
        most=2**20,
    )
    max_queue_delay_us: int = option(
        0,
        "How long a request may wait for others to run with while nothing else is to be done, in microseconds. 0: what "
        "waits is run as soon as a thread is idle.",
        least=0,
        most=10_000_000,
    )
    max_queued_rows: int = option(
        65_536,
        "Most rows of one model that wait. Over this and the next limits, requests are refused at once with "
        "RESOURCE_EXHAUSTED, the limit's name, and when to try again.",
        least=1,
    )
    max_queued_bytes: int = option(
        256 * 2**20,
        "Most bytes, inputs and outputs, of one model's requests that wait.",
        least=1,
    )
    max_in_flight: int = option(
        4096,
        "Most requests of one model that wait or run.",
        least=1,
    )
    max_bytes_in_flight: int = option(
        512 * 2**20,
        "Most bytes, inputs and outputs, of all requests that wait or run.",
        least=1,
    )

    @property
    def batch_limits(self) -> BatchLimits:
        """The limits of a model whose settings say nothing else."""
        return BatchLimits(
            self.max_batch_size,
            self.max_queue_delay_us * 1e-6,
            self.max_queued_rows,
            self.max_queued_bytes,
            self.max_in_flight,
        )
