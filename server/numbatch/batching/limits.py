"""What may wait, and what is said to a request that may not."""

from typing import NamedTuple


class BatchLimits(NamedTuple):
    """How the requests of one model are batched, and how many may wait.

    Attributes
    ----------
    max_batch_size : int
        Most rows that run together. A request with more is run in pieces.
    max_queue_delay_s : float
        How long a request may wait for others to run with while a thread is idle. 0: it never does.
    max_queued_rows : int
        Most rows that wait.
    max_queued_bytes : int
        Most bytes of requests that wait.
    max_in_flight : int
        Most requests that wait or run.
    """

    max_batch_size: int = 1024
    max_queue_delay_s: float = 0.0
    max_queued_rows: int = 65_536
    max_queued_bytes: int = 256 * 2**20
    max_in_flight: int = 4096


DEFAULT_LIMITS = BatchLimits()


class Refusal(NamedTuple):
    """Why a request may not wait.

    Attributes
    ----------
    limit : str
        The name of the limit, that of a field of `BatchLimits`, "max_bytes_in_flight", or "deadline": most of the time
        that the caller gives it would be over before it is answered.
    got, most : float
        What the limit counts, with this request, and what it allows.
    retry_after_s : float
        When there may be room again, as far as that can be foretold, in seconds.
    """

    limit: str
    got: float
    most: float
    retry_after_s: float
