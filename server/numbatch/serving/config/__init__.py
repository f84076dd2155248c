"""What a server is told when it starts. Each group of options is a file of its own; a field is described there once."""

from dataclasses import dataclass

from numbatch.serving.config.batching import BatchingOptions
from numbatch.serving.config.compute import ComputeOptions
from numbatch.serving.config.lifecycle import LifecycleOptions
from numbatch.serving.config.limits import LimitOptions
from numbatch.serving.config.models import ModelOptions
from numbatch.serving.config.network import NetworkOptions
from numbatch.serving.config.observability import ObservabilityOptions
from numbatch.serving.config.repository import RepositoryOptions
from numbatch.serving.config.security import SecurityOptions
from numbatch.serving.config.workers import WorkerOptions

__all__ = ["ServerConfig"]


# The last base's fields come first.
@dataclass(frozen=True, kw_only=True)
class ServerConfig(
    ObservabilityOptions,
    LifecycleOptions,
    WorkerOptions,
    ComputeOptions,
    BatchingOptions,
    RepositoryOptions,
    ModelOptions,
    LimitOptions,
    SecurityOptions,
    NetworkOptions,
):
    """Configures a server. All fields are keywords; `numbatch serve --help` describes them and their defaults.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, naming the field, what came and what was expected.
    """
