"""Options: the end of the server."""

from dataclasses import dataclass

from numbatch.serving.config.options import Options, option


@dataclass(frozen=True, kw_only=True)
class LifecycleOptions(Options):
    """The end of the server."""

    drain_delay_s: float = option(
        0.0,
        "How long the server goes on as before when it is asked to stop, while health says NOT_SERVING, so that load "
        "balancers turn away from it first. 5 suits Kubernetes.",
        metavar="SECONDS",
        least=0,
    )
    shutdown_grace_s: float = option(
        30.0,
        "How long requests in progress may take to finish when the server stops.",
        metavar="SECONDS",
        least=0,
    )
