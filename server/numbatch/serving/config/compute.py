"""Options: the processors that are used."""

from dataclasses import dataclass

from numbatch.kernels.processors import MOST_THREADS
from numbatch.serving.config.options import Options, option


@dataclass(frozen=True, kw_only=True)
class ComputeOptions(Options):
    """The processors that are used."""

    compute_threads: int | None = option(
        None,
        "How many threads work on a large batch. Without it: as many as there are processors for the process, by its "
        "affinity and its cgroup's quota; of several workers, each has its part. It changes no bit.",
        least=1,
        most=MOST_THREADS,
    )
