"""What the protocol tells of a server and of its models: dictionaries with the names of the .proto files."""

from functools import cache
from importlib.metadata import version as version_of
from typing import Any

from numbatch.engine import LoadedModel
from numbatch.repository.policy import All, Specific, VersionPolicy, parse_policy
from numbatch.repository.snapshot import Entry, Snapshot
from numbatch.serving.batch_limits import limits_of
from numbatch.serving.config import ServerConfig
from numbatch.serving.oip.datatypes import ENGINE_TYPES
from numbatch.serving.oip.parameters import DEFAULT_PRIORITY, PRIORITY_LEVELS

# Of messages and JSON alike.
Document = dict[str, Any]

NAME = "numbatch"

# Triton's names for what is served beyond the core of the protocol.
EXTENSIONS = (
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
    "system_shared_memory",
)

_ANY_LENGTH = -1


@cache
def server_metadata() -> Document:
    """Return what the server is."""
    return {"name": NAME, "version": version_of(NAME), "extensions": list(EXTENSIONS)}


def model_metadata(snapshot: Snapshot, name: str, version: int) -> Document:
    """Return what a model takes and gives.

    Parameters
    ----------
    snapshot : Snapshot
        The models.
    name : str
        The model.
    version : int
        0: the newest that is ready.

    Raises
    ------
    NumbatchError
        As `Snapshot.ready`.
    """
    _, model = snapshot.ready(name, version)
    ready = [number for number, entry in sorted(snapshot.versions[name].items()) if entry.model is not None]
    return {
        "name": name,
        "versions": [str(number) for number in ready],
        "platform": NAME,
        "inputs": [_tensor(*spec) for spec in _inputs(model)],
        "outputs": [_tensor(*spec) for spec in _outputs(model)],
    }


def model_config(config: ServerConfig, snapshot: Snapshot, name: str, version: int) -> Document:
    """Return how a model is served.

    Parameters
    ----------
    config : ServerConfig
        What the server was told.
    snapshot, name, version
        As for `model_metadata`.

    Raises
    ------
    NumbatchError
        As `Snapshot.ready`.
    """
    number, model = snapshot.ready(name, version)
    entry = snapshot.versions[name][number]
    limits = limits_of(config, entry.settings.batching)
    summary = model.summary
    parameters = {
        "numeric_contract": summary.numeric_contract,
        "weights_precision": summary.weights_precision,
        "instruction_set": model.instruction_set,
    }
    return {
        "name": name,
        "platform": NAME,
        "backend": NAME,
        "version_policy": _policy(_policy_of(config, entry)),
        "max_batch_size": limits.max_batch_size,
        "input": [_config_tensor(*spec) for spec in _inputs(model)],
        "output": [_config_tensor(*spec) for spec in _outputs(model)],
        "dynamic_batching": {
            "max_queue_delay_microseconds": round(limits.max_queue_delay_s * 1e6),
            "preserve_ordering": False,
            "priority_levels": PRIORITY_LEVELS,
            "default_priority_level": DEFAULT_PRIORITY,
            "default_queue_policy": {
                "timeout_action": "REJECT",
                "allow_timeout_override": True,
                "max_queue_size": limits.max_in_flight,
            },
        },
        "instance_group": [{"name": f"{name}_0", "kind": "KIND_CPU", "count": 1}],
        "default_model_filename": "model.binpb",
        "parameters": {key: {"string_value": value} for key, value in parameters.items()},
        "model_transaction_policy": {"decoupled": False},
    }


def _inputs(model: LoadedModel) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(spec.name, ENGINE_TYPES[spec.data_type], spec.shape) for spec in model.summary.inputs]


def _outputs(model: LoadedModel) -> list[tuple[str, str, tuple[int, ...]]]:
    shapes = {layer.name: layer.output_shape for layer in model.summary.layers}
    return [(name, ENGINE_TYPES["float32"], shapes[name]) for name in model.summary.outputs]


def _tensor(name: str, datatype: str, shape: tuple[int, ...]) -> Document:
    return {"name": name, "datatype": datatype, "shape": [_ANY_LENGTH, *shape]}


def _config_tensor(name: str, datatype: str, shape: tuple[int, ...]) -> Document:
    return {"name": name, "data_type": f"TYPE_{datatype}", "dims": list(shape)}


def _policy_of(config: ServerConfig, entry: Entry) -> VersionPolicy:
    return entry.settings.version_policy or parse_policy(config.version_policy)


def _policy(policy: VersionPolicy) -> Document:
    if isinstance(policy, All):
        return {"all": {}}
    if isinstance(policy, Specific):
        return {"specific": {"versions": list(policy.versions)}}
    return {"latest": {"num_versions": getattr(policy, "count", 1)}}
