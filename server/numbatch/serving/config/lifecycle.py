"""Options: the end of the server."""

from dataclasses import dataclass

from numbatch.serving.config.options import Options, option


@dataclass(frozen=True, kw_only=True)
class LifecycleOptions(Options):
    """The end of the server."""

    shutdown_grace_s: float = option(
        30.0,
        "How long requests in progress may take to finish when the server is asked to stop.",
        metavar="SECONDS",
        least=0,
    )
