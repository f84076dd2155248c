"""The limits of a model's batches: what its settings say, else what the server was told."""

from dataclasses import asdict

from numbatch.batching import BatchLimits
from numbatch.repository.settings import BatchingSettings
from numbatch.serving.config.batching import BatchingOptions


def limits_of(told: BatchingOptions, wanted: BatchingSettings) -> BatchLimits:
    """Return the limits for a model with these settings."""
    chosen = {name: getattr(told, name) if value is None else value for name, value in asdict(wanted).items()}
    return BatchLimits(max_queue_delay_s=chosen.pop("max_queue_delay_us") * 1e-6, **chosen)
