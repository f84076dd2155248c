"""What is told of a batch that ran."""

from collections.abc import Hashable, Sequence
from typing import NamedTuple


class BatchReport(NamedTuple):
    """A batch that ran, or failed.

    Attributes
    ----------
    model : hashable
        Whose requests they were, as they were given with the requests.
    rows : int
        Of all requests in it.
    queue_s : sequence of float
        How long each request in it had waited when the batch began, in seconds.
    compute_s : float
        How long it ran, in seconds, with the gathering of its rows.
    failed : bool
        Whether it raised; its requests then fail with what it raised.
    version : int
        That of their group.
    """

    model: Hashable
    rows: int
    queue_s: Sequence[float]
    compute_s: float
    failed: bool
    version: int = 0
