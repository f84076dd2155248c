"""The models in memory: loaded, swapped and unloaded under a lock, read without one.

Every change makes a new `Snapshot` and puts it in the place of the old one. A request takes the snapshot that is there
when it arrives, and with it a model that stays whole until the request is done, whatever is loaded meanwhile.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from numbatch.engine import LoadedModel, load_model
from numbatch.repository import disk
from numbatch.repository.disk import FoundVersion
from numbatch.repository.snapshot import (
    Entry,
    Snapshot,
    check_version,
    model_not_found,
    version_not_found,
)
from numbatch.v1.model_pb2 import Model
from numbatch.v1.repository_pb2 import (
    MODEL_STATE_FAILED,
    MODEL_STATE_LOADING,
    MODEL_STATE_READY,
    MODEL_STATE_UNLOADED,
)
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.names import is_model_name
from numbatch.wire.precision import checked_precision
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)


class Loader(Protocol):
    """Makes a model that answers from a version folder or a message; `numbatch.engine.load_model` is the one."""

    def __call__(self, source: Path | Model, *, name: str = "", weights_precision: str = "f32") -> LoadedModel:
        """Return the model, compiled and warmed up, or raise a NumbatchError."""


class Registry:
    """Holds the models of a server. All methods may be called from any thread; loading takes long, the rest does not.

    Parameters
    ----------
    repository : Path or None
        The folder that models are loaded from. None: models come in messages only.
    load : Loader
        Makes the models.
    weights_precision : str
        "f32" or "bf16": for versions from the repository, where nothing else was asked for.
    on_change : callable
        Called after every change, on the thread that made it.
    """

    def __init__(
        self,
        repository: Path | None,
        *,
        load: Loader = load_model,
        weights_precision: str = "f32",
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._repository = repository
        self._load = load
        self._weights_precision = checked_precision(weights_precision)
        self._on_change = on_change
        self._lock = threading.Lock()
        self._closed = False
        self._snapshot = Snapshot()

    @property
    def snapshot(self) -> Snapshot:
        """What is known now. It does not change any more; ask again for what is known later."""
        return self._snapshot

    def discover(self) -> list[FoundVersion]:
        """List the repository's versions as LOADING, or as FAILED if they cannot be loaded, and return the former.

        Returns
        -------
        list of FoundVersion
            For `load`: by model, its newest version first.

        Raises
        ------
        OSError
            If the repository itself cannot be read; the message names it.
        """
        found = [] if self._repository is None else disk.scan(self._repository)
        for version in found:
            state = MODEL_STATE_FAILED if version.problem else MODEL_STATE_LOADING
            self._put(Entry(version.name, version.version, state, version.problem))
            if version.problem:
                _log.error("cannot load model=%s version=%d: %s", version.name, version.version, version.problem)
        loadable = [version for version in found if not version.problem]
        return sorted(loadable, key=lambda version: (version.name, -version.version))

    def load(self, found: list[FoundVersion]) -> None:
        """Load versions one after the other; one that fails is listed as FAILED with its reason and harms no other."""
        for version in found:
            if self._closed:
                return
            try:
                self._load_version(version.name, version.version, version.folder, self._weights_precision)
            except NumbatchError:
                continue  # logged and listed

    def load_from_disk(self, name: str, version: int = 0, weights_precision: str = "") -> Entry:
        """Load a version from the repository, in the place of the one that has its number.

        Parameters
        ----------
        name : str
            The model.
        version : int
            0: the newest on disk.
        weights_precision : str
            "f32" or "bf16". "": that in which the version was loaded before, if it was, else the registry's.

        Raises
        ------
        NumbatchError
            Why it could not be loaded; a version that was ready before still is, any other is listed as FAILED.
        """
        check_version(version)
        if weights_precision:
            checked_precision(weights_precision)
        where = "in the model repository on disk"
        try:
            found = [] if self._repository is None else disk.scan(self._repository)
        except OSError as unreadable:
            raise error(Reason.MODEL_CORRUPT, str(unreadable)) from unreadable
        versions = {each.version: each for each in found if each.name == name}
        if not versions:
            raise model_not_found(name, {each.name for each in found}, where)
        chosen = versions.get(version or max(versions))
        if chosen is None:
            raise version_not_found(name, version, versions, where)
        if chosen.problem:
            problem = error(Reason.MODEL_CORRUPT, chosen.problem).about(model=name, version=chosen.version)
            self._fail(name, chosen.version, problem)
            raise problem
        before = self._snapshot.versions.get(name, {}).get(chosen.version)
        remembered = before.weights_precision if before else ""
        precision = weights_precision or remembered or self._weights_precision
        return self._load_version(name, chosen.version, chosen.folder, precision)

    def load_from_message(
        self, model: Model, *, name: str = "", version: int = 0, weights_precision: str = "f32"
    ) -> Entry:
        """Load a version from a message, in the place of the one that has its number.

        Parameters
        ----------
        model : Model
            The model with inline weights.
        name : str
            Its name. May be empty where the message has one; where both are given they are equal.
        version : int
            0: one more than the newest that is known.
        weights_precision : str
            "f32" or "bf16".

        Raises
        ------
        NumbatchError
            Why it could not be loaded; what was known before is as it was.
        """
        check_version(version)
        checked_precision(weights_precision)
        if name and model.name and name != model.name:
            raise error(Reason.INVALID_FIELD, field="model.name", got=repr(model.name[:128]), expected=repr(name[:128]))
        name = name or model.name
        if not is_model_name(name):
            rule = "1 to 128 of the characters A-Z a-z 0-9 . _ -, starting with a letter or a digit"
            raise error(Reason.INVALID_FIELD, field="model_name", got=repr(name[:128]), expected=rule)
        with self._lock:
            known = self._snapshot.versions.get(name, {})
            version = version or max(known, default=0) + 1
            before = known.get(version)
            self._begin_locked(name, version)
        try:
            return self._load_version(name, version, model, weights_precision)
        except NumbatchError:
            self._restore(name, version, before)
            raise

    def unload(self, name: str, version: int = 0) -> list[Entry]:
        """Forget the model of one version, or with 0 of all versions; requests in progress finish on it.

        Returns
        -------
        list of Entry
            The versions that are unloaded now, newest first.

        Raises
        ------
        NotFoundError
            MODEL_NOT_FOUND, VERSION_NOT_FOUND.
        """
        with self._lock:
            entries = [
                replace(entry, state=MODEL_STATE_UNLOADED, reason="", model=None)
                for entry in self._snapshot.known(name, version)
            ]
            for entry in entries:
                self._put_locked(entry)
        self._on_change()
        for entry in entries:
            _log.info("unloaded model=%s version=%d", entry.name, entry.version)
        return entries

    def close(self) -> None:
        """Let `load` return after the version that it is at."""
        self._closed = True

    def _load_version(self, name: str, version: int, source: Path | Model, weights_precision: str) -> Entry:
        start = time.monotonic()
        with self._lock:
            self._begin_locked(name, version)
        self._on_change()
        try:
            model = self._load(source, name=name, weights_precision=weights_precision)
        except NumbatchError as refused:
            self._fail(name, version, refused.about(model=name, version=version))
            raise
        except Exception as bug:
            _log.exception("loading model=%s version=%d failed unexpectedly", name, version)
            problem = error(Reason.INTERNAL, f"loading failed unexpectedly ({type(bug).__name__}); the log says more")
            self._fail(name, version, problem.about(model=name, version=version))
            raise problem from bug
        entry = Entry(name, version, MODEL_STATE_READY, model=model, weights_precision=weights_precision)
        self._put(entry)
        _log.info(
            "loaded model=%s version=%d layers=%d parameters=%d weights_precision=%s packed_bytes=%d seconds=%.3f",
            name,
            version,
            len(model.summary.layers),
            model.summary.parameter_count,
            weights_precision,
            model.summary.packed_bytes,
            time.monotonic() - start,
        )
        return entry

    def _begin_locked(self, name: str, version: int) -> None:
        """List a version as LOADING, unless it answers requests: then it goes on doing so."""
        current = self._snapshot.versions.get(name, {}).get(version, Entry(name, version, MODEL_STATE_LOADING))
        if current.model is None:
            self._put_locked(replace(current, state=MODEL_STATE_LOADING, reason=""))

    def _fail(self, name: str, version: int, problem: NumbatchError) -> None:
        """List a version as FAILED, unless it answers requests: then the one that failed was to replace it."""
        _log.error("cannot load model=%s version=%d: %s: %s", name, version, problem.reason, problem.message)
        with self._lock:
            current = self._snapshot.versions.get(name, {}).get(version, Entry(name, version, MODEL_STATE_FAILED))
            if current.model is None:
                reason = f"{problem.reason}: {problem.message}"
                self._put_locked(replace(current, state=MODEL_STATE_FAILED, reason=reason))
        self._on_change()

    def _restore(self, name: str, version: int, before: Entry | None) -> None:
        with self._lock:
            known = dict(self._snapshot.versions[name])
            if known[version].model is not None:
                return  # it was ready all along, or another load of it has succeeded
            del known[version]
            entries = [*known.values(), *([before] if before else [])]
            self._snapshot = self._snapshot.replace(name, entries)
        self._on_change()

    def _put(self, entry: Entry) -> None:
        with self._lock:
            self._put_locked(entry)
        self._on_change()

    def _put_locked(self, entry: Entry) -> None:
        known = self._snapshot.versions.get(entry.name, {})
        self._snapshot = self._snapshot.replace(entry.name, {**known, entry.version: entry}.values())
