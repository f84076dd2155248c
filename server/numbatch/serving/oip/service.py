"""The protocol, but for inference: what is asked of the server and its models, whatever brings the question.

Answers are dictionaries with the names of the .proto files: the fields of the message, or the JSON object.
"""

import logging
from collections.abc import Callable, Mapping

from numbatch.repository.registry import Registry
from numbatch.repository.snapshot import Entry
from numbatch.serving.config import ServerConfig
from numbatch.serving.control import Control
from numbatch.serving.lifecycle import Lifecycle
from numbatch.serving.oip.description import Document, model_config, model_metadata, server_metadata
from numbatch.serving.oip.requests import version_number
from numbatch.serving.oip.shared_memory import Regions
from numbatch.serving.oip.statistics import Statistics
from numbatch.v1.repository_pb2 import (
    MODEL_STATE_LOADING,
    MODEL_STATE_READY,
    MODEL_STATE_UNLOADED,
    LoadModelRequest,
    UnloadModelRequest,
)
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.precision import WEIGHTS_PRECISIONS, weights_precision
from numbatch.wire.reasons import Reason

_STATES = {MODEL_STATE_READY: "READY", MODEL_STATE_LOADING: "LOADING"}

# With these Triton takes a model that is not in its repository.
_NOT_TAKEN = ("config", "file:")

_PRECISION = "weights_precision"
_PASSED_OVER = ("unload_dependents",)

_TOLD_AT_THE_START = "the server is told so when it starts"


class OipService:
    """Answers all of the protocol but inference.

    Parameters
    ----------
    config : ServerConfig
        What the server was told.
    registry : Registry
        The models.
    control : Control
        Changes them.
    lifecycle : Lifecycle
        Says where the server stands.
    can_compute : callable
        Says whether the threads that run batches are there.

    Attributes
    ----------
    statistics : Statistics
        Is to be told of requests and batches.
    regions : Regions
        Shared memory that callers have registered.
    """

    def __init__(
        self,
        config: ServerConfig,
        registry: Registry,
        control: Control,
        lifecycle: Lifecycle,
        can_compute: Callable[[], bool],
        *,
        alone: bool = True,
    ) -> None:
        self._config = config
        self._registry = registry
        self._control = control
        self._lifecycle = lifecycle
        self._can_compute = can_compute
        self.statistics = Statistics(lambda: registry.snapshot)
        self.regions = Regions(shared_by_all=alone, max_bytes=config.max_message_bytes)

    @property
    def live(self) -> bool:
        """Whether the server runs, and what waits can run."""
        return self._can_compute()

    @property
    def ready(self) -> bool:
        """Whether requests are to be sent to the server."""
        return self._lifecycle.ready

    def model_ready(self, name: str, version: str) -> bool:
        """Return whether requests for a model are to be sent to the server; False also for one that it does not know.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if the version is none.
        """
        number = version_number(version, "version")
        snapshot = self._registry.snapshot
        entry = snapshot.versions.get(name, {}).get(number) if number else snapshot.defaults.get(name)
        return entry is not None and entry.model is not None and not self._lifecycle.ending

    def server_metadata(self) -> Document:
        """Return what the server is."""
        return server_metadata()

    def model_metadata(self, name: str, version: str) -> Document:
        """Return what a model takes and gives.

        Raises
        ------
        NumbatchError
            As `Snapshot.ready`.
        """
        return model_metadata(self._registry.snapshot, name, version_number(version, "version"))

    def model_config(self, name: str, version: str) -> Document:
        """Return how a model is served.

        Raises
        ------
        NumbatchError
            As `Snapshot.ready`.
        """
        return model_config(self._config, self._registry.snapshot, name, version_number(version, "version"))

    def model_statistics(self, name: str, version: str) -> Document:
        """Return what versions have done: those that are ready of one model, or with "" of all.

        Raises
        ------
        NumbatchError
            As `Snapshot.ready`.
        """
        number = version_number(version, "version")
        snapshot = self._registry.snapshot
        if name:
            chosen, _ = snapshot.ready(name, number)
            known = snapshot.versions[name]
            entries = [known[chosen]] if number else [entry for _, entry in sorted(known.items())]
        elif number:
            raise error(Reason.INVALID_FIELD, "a version without a model", field="name", expected="a model")
        else:
            entries = list(snapshot)
        return {"model_stats": self.statistics.of(entry for entry in entries if entry.model is not None)}

    def repository_index(self, repository: str = "", *, ready: bool = False) -> list[Document]:
        """Return all versions, or those that are ready.

        Raises
        ------
        UnsupportedError
            FEATURE_UNSUPPORTED, if a repository is named.
        """
        _check_repository(repository)
        return [_index(entry) for entry in self._registry.snapshot if entry.model is not None or not ready]

    async def load(self, name: str, parameters: Mapping[str, object], repository: str = "") -> None:
        """Load a model from the repository, or load it anew.

        Raises
        ------
        NumbatchError
            Why not.
        """
        _check_repository(repository)
        precision = ""
        for key, value in parameters.items():
            field = f"parameters.{key[:64]}"
            if key.startswith(_NOT_TAKEN):
                problem = "models are loaded as they are in the repository"
                hint = "numbatch.v1.ModelRepositoryService/LoadModel takes a model in the message"
                raise error(Reason.FEATURE_UNSUPPORTED, problem, field=field, hint=hint)
            if key != _PRECISION:
                raise error(Reason.INVALID_FIELD, "no such parameter", field=field, expected=_PRECISION)
            if value not in WEIGHTS_PRECISIONS:
                got, expected = repr(value)[:64], " or ".join(WEIGHTS_PRECISIONS)
                raise error(Reason.INVALID_FIELD, field=field, got=got, expected=expected)
            precision = str(value)
        request = LoadModelRequest(model_name=name)
        if precision:
            request.weights_precision = weights_precision(precision)
        await self._control.load(request)

    async def unload(self, name: str, parameters: Mapping[str, object], repository: str = "") -> None:
        """Unload all versions of a model.

        Raises
        ------
        NumbatchError
            Why not.
        """
        _check_repository(repository)
        for key in parameters:
            if key not in _PASSED_OVER:
                field, expected = f"parameters.{key[:64]}", ", ".join(_PASSED_OVER)
                raise error(Reason.INVALID_FIELD, "no such parameter", field=field, expected=expected)
        await self._control.unload(UnloadModelRequest(model_name=name))

    def trace_settings(self, changes: Mapping[str, object], model: str = "") -> dict[str, list[str]]:
        """Return how requests are traced.

        Raises
        ------
        UnsupportedError
            FEATURE_UNSUPPORTED, if something is to be changed.
        NumbatchError
            As `Snapshot.ready`, if a model is named.
        """
        _check_unchanged(changes, "--trace-endpoint and --trace-sample-ratio")
        if model:
            self._registry.snapshot.ready(model)
        ratio = self._config.trace_sample_ratio if self._config.trace_endpoint else 0.0
        return {
            "trace_mode": ["opentelemetry"],
            "trace_level": ["TIMESTAMPS" if ratio else "OFF"],
            "trace_rate": [str(round(1 / ratio)) if ratio else "0"],
            "trace_count": ["-1"],
        }

    def log_settings(self, changes: Mapping[str, object]) -> Mapping[str, bool | int | str]:
        """Return what is logged.

        Raises
        ------
        UnsupportedError
            FEATURE_UNSUPPORTED, if something is to be changed.
        """
        _check_unchanged(changes, "--log-level and --log-format")
        level = getattr(logging, self._config.log_level.upper())
        return {
            "log_file": "",
            "log_info": level <= logging.INFO,
            "log_warning": level <= logging.WARNING,
            "log_error": True,
            "log_verbose_level": int(level <= logging.DEBUG),
            "log_format": self._config.log_format,
        }

    def close(self) -> None:
        """Let go of shared memory."""
        self.regions.close()


def no_gpu() -> NumbatchError:
    """Return the error for memory of GPUs."""
    problem = "memory of GPUs: models are computed on processors"
    return error(Reason.FEATURE_UNSUPPORTED, problem, hint="register system shared memory")


def _index(entry: Entry) -> Document:
    reason = entry.reason or ("unloaded" if entry.state == MODEL_STATE_UNLOADED else "")
    return {
        "name": entry.name,
        "version": str(entry.version) if entry.version else "",
        "state": _STATES.get(entry.state, "UNAVAILABLE"),
        "reason": reason,
    }


def _check_repository(name: str) -> None:
    if name:
        problem = "the server has one repository, without a name"
        raise error(Reason.FEATURE_UNSUPPORTED, problem, field="repository_name", got=repr(name[:64]))


def _check_unchanged(changes: Mapping[str, object], options: str) -> None:
    for name in changes:
        field = f"settings.{name[:64]}"
        raise error(Reason.FEATURE_UNSUPPORTED, _TOLD_AT_THE_START, field=field, hint=f"see {options}")
