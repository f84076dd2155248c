"""Options: what the server tells of itself."""

from dataclasses import dataclass

from numbatch.serving.config.options import Options, option

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class ObservabilityOptions(Options):
    """What the server tells of itself."""

    log_level: str = option("info", "How much to log.", choices=LOG_LEVELS)
