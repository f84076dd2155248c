"""What a registry says of its models."""

from numbatch.repository.registry import Registry
from numbatch.v1.repository_pb2 import ModelState

Listing = list[tuple[str, int, str, bool]]


def listing(registry: Registry) -> Listing:
    """Name, version, state and whether it is the default, of all versions."""
    snapshot = registry.snapshot
    statuses = [snapshot.status(entry) for entry in snapshot]
    return [
        (s.model_name, s.model_version, ModelState.Name(s.state).removeprefix("MODEL_STATE_"), s.default_version)
        for s in statuses
    ]


def factor(registry: Registry, version: int = 0) -> float:
    """Which of the tiny models answers."""
    _, model = registry.snapshot.ready("tiny", version)
    return float(model.infer([1, 1])[0])


def precisions(registry: Registry) -> dict[int, str]:
    """With which precision each version of the tiny model runs."""
    return {entry.version: entry.model.summary.weights_precision for entry in registry.snapshot if entry.model}
