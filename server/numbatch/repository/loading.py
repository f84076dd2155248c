"""Loading one version: the memory for it set aside, what may pass tried again, run before anyone asks."""

import errno
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from numbatch.engine import LoadedModel, footprint, load_model
from numbatch.repository.memory import MemoryAccount
from numbatch.repository.settings import SETTINGS_FILE
from numbatch.repository.signature import Signature, signature
from numbatch.v1.model_pb2 import Model
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)


class Loader(Protocol):
    """Makes a model that answers from a version folder or a message; `numbatch.engine.load_model` is the one."""

    def __call__(self, source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        """Return the model, compiled and warmed up, or raise a NumbatchError."""


class Retries(NamedTuple):
    """How often what may pass is tried again: a disk that does not answer, a file that is being copied.

    Attributes
    ----------
    most : int
        After the first try.
    delay_s : float
        Before each of them.
    wait : callable
        Waits so many seconds, or returns True at once if there is no point in going on.
    """

    most: int = 0
    delay_s: float = 0.0
    wait: Callable[[float], bool] = threading.Event().wait


class LoadedVersion(NamedTuple):
    """A model, what it holds in memory, and the signature of the files that it was made of; None: of a message."""

    model: LoadedModel
    held_bytes: int
    signature: Signature | None


class FilesChangedError(Exception):
    """The files were changed while they were read."""


class VersionLoader:
    """Loads versions.

    Parameters
    ----------
    load : Loader
        Makes the models.
    memory : MemoryAccount
        Knows what they hold.
    retries : Retries
        How often what may pass is tried again.
    """

    def __init__(self, load: Loader = load_model, memory: MemoryAccount | None = None, retries: Retries | None = None):
        self._load = load
        self._memory = memory or MemoryAccount()
        self._retries = retries or Retries()

    def load(
        self, name: str, source: Path | Model, weights_precision: str, warm_up: tuple[int, ...] = ()
    ) -> LoadedVersion:
        """Load a version from its folder or a message, and run batches of so many rows.

        Raises
        ------
        NumbatchError
            Why it could not be loaded, for the last time.
        """
        for left in range(self._retries.most, -1, -1):
            try:
                return self._try(name, source, weights_precision, warm_up)
            except FilesChangedError as changed:
                refused = _changed(source)
                refused.__cause__ = changed
            except NumbatchError as problem:
                if not isinstance(problem.__cause__, OSError):
                    raise  # a model that is wrong stays so
                refused = problem
            if not left:
                raise refused
            _log.warning(
                "loading model=%(model)s failed and is tried again in %(delay_s)g s: %(problem)s",
                {"model": name, "delay_s": self._retries.delay_s, "problem": str(refused)},
            )
            if self._retries.wait(self._retries.delay_s):
                raise refused
        raise AssertionError("unreachable: the last try returns or raises")

    def _try(self, name: str, source: Path | Model, precision: str, warm_up: tuple[int, ...]) -> LoadedVersion:
        before = _signature(source)
        try:
            model, held_bytes = self._within_memory(name, source, precision)
        except NumbatchError as refused:
            if _signature(source) != before:
                raise FilesChangedError from refused
            raise
        if _signature(source) != before:
            raise FilesChangedError
        for rows in warm_up:
            run_zeros(model, rows)
        return LoadedVersion(model, held_bytes, before)

    def _within_memory(self, name: str, source: Path | Model, precision: str) -> tuple[LoadedModel, int]:
        needed = footprint(source, name=name, weights_precision=precision, room_bytes=self._memory.room_bytes)
        with self._memory.reserved(needed):
            try:
                model = self._load(source, name=name, weights_precision=precision)
            except (MemoryError, OSError) as problem:
                if isinstance(problem, OSError) and problem.errno != errno.ENOMEM:
                    raise
                hint = "lower max_model_memory_bytes: models may take more than there is"
                got = f"a model that takes {needed.peak_bytes} bytes while it is loaded"
                raise error(Reason.MEMORY_LIMIT, "the system has no such memory", got=got, hint=hint) from None
            self._memory.hold(model, needed.held_bytes)
        return model, needed.held_bytes


def run_zeros(model: LoadedModel, rows: int) -> None:
    """Run a batch of zeros."""
    model.run({spec.name: np.zeros((rows, *spec.shape), np.float32) for spec in model.summary.inputs})


def _signature(source: Path | Model) -> Signature | None:
    return signature(source, source.parent / SETTINGS_FILE) if isinstance(source, Path) else None


def _changed(source: object) -> NumbatchError:
    return error(
        Reason.MODEL_CORRUPT,
        f"the files in {source} were changed while they were read",
        hint="copy a version into a folder whose name starts with a dot, then rename the folder",
    )
