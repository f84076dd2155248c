"""Options: the processors that are used."""

from dataclasses import dataclass

from numbatch.serving.config.options import Options, option

# As the engine has it, whose import takes a second that `--help` does not need.
_MAX_COMPUTE_THREADS = 256


@dataclass(frozen=True, kw_only=True)
class ComputeOptions(Options):
    """The processors that are used."""

    compute_threads: int | None = option(
        None,
        "How many threads work on a large batch. Without it: as many as there are processors for the process, by its "
        "affinity and its cgroup's quota; of several workers, each has its part. It changes no bit.",
        least=1,
        most=_MAX_COMPUTE_THREADS,
    )
