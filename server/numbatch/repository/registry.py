"""The models in memory: loaded, swapped and unloaded, read without a lock.

Every change makes a new `Snapshot` and puts it in the place of the old one. A request takes the snapshot that is there
when it arrives, and with it a model that stays whole until the request is done, whatever is loaded meanwhile.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from pathlib import Path

from numbatch.engine import load_model
from numbatch.repository.decision import Decision, Key, decide
from numbatch.repository.loading import Loader, Retries, VersionLoader
from numbatch.repository.memory import MemoryAccount
from numbatch.repository.policy import LATEST, VersionPolicy
from numbatch.repository.report import LoadReport
from numbatch.repository.settings import DEFAULTS
from numbatch.repository.signature import NOT_TRIED
from numbatch.repository.single import SingleModel
from numbatch.repository.snapshot import (
    Entry,
    Snapshot,
    check_version,
    model_not_found,
    version_not_found,
)
from numbatch.repository.states import States
from numbatch.repository.survey import ModelOnDisk, Survey, survey
from numbatch.v1.model_pb2 import Model
from numbatch.v1.repository_pb2 import MODEL_STATE_LOADING, MODEL_STATE_READY
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.names import is_model_name
from numbatch.wire.precision import checked_precision
from numbatch.wire.reasons import Reason

__all__ = ["Loader", "Registry", "Retries"]

_log = logging.getLogger(__name__)

_ON_DISK = "in the model repository on disk"


class Registry:
    """Holds the models of a server. All methods may be called from any thread; loading takes long, the rest does not.

    Parameters
    ----------
    repository : Path, SingleModel or None
        The folder that models are loaded from, or the one model that is. None: models come in messages only.
    load : Loader
        Makes the models.
    weights_precision : str
        "f32" or "bf16": for versions from the repository, where nothing else was asked for.
    version_policy : VersionPolicy
        Which versions are served of models whose settings do not say.
    memory : MemoryAccount, optional
        Knows what models hold, and refuses what is too much. Default: one without a limit.
    retries : Retries
        How often what may pass is tried again.
    on_change : callable
        Called after every change, on the thread that made it.
    on_load : callable
        Called with a LoadReport after every load, on the thread that it was on.
    """

    def __init__(
        self,
        repository: Path | SingleModel | None,
        *,
        load: Loader = load_model,
        weights_precision: str = "f32",
        version_policy: VersionPolicy = LATEST,
        memory: MemoryAccount | None = None,
        retries: Retries | None = None,
        on_change: Callable[[], None] = lambda: None,
        on_load: Callable[[LoadReport], None] = lambda _: None,
    ) -> None:
        self._repository = repository
        # Whoever gives a model a name to be served under need not know the one in its message.
        self._any_name = isinstance(repository, SingleModel)
        self._weights_precision = checked_precision(weights_precision)
        self._version_policy = version_policy
        self.memory = memory or MemoryAccount()
        self._loader = VersionLoader(load, self.memory, retries)
        self._states = States(on_change)
        self._on_load = on_load
        self._closed = False

    @property
    def snapshot(self) -> Snapshot:
        """What is known now. It does not change any more; ask again for what is known later."""
        return self._states.snapshot

    def survey(self, names: Collection[str] | None = None) -> Survey:
        """Return what lies in the repository, of all models or some.

        Raises
        ------
        OSError
            If the repository itself cannot be read; the message names it.
        """
        return {} if self._repository is None else survey(self._repository, names)

    def discover(self, names: Collection[str] | None = None) -> Survey:
        """List what is to be served as LOADING, or as FAILED if it cannot be loaded, and return what was found.

        Parameters
        ----------
        names : collection of str, optional
            The models that are to be served; one that is not there is listed as FAILED. Default: all.

        Returns
        -------
        mapping of str to ModelOnDisk
            For `load`.

        Raises
        ------
        OSError
            If the repository itself cannot be read; the message names it.
        """
        found = dict(self.survey(names))
        for name in sorted(set(names or ()) - found.keys()):
            missing = model_not_found(name, self.survey(), _ON_DISK)
            found[name] = ModelOnDisk(problem=f"{missing.reason}: {missing.message}")
        decision = decide(found, self.snapshot.versions, self._version_policy)
        self._list_failed(decision)
        for name, version in decision.load:
            self._states.begin(name, version, NOT_TRIED)
        return found

    def load(self, found: Survey, names: Iterable[str] | None = None) -> None:
        """Load and unload until what is in memory is what is to be served of what is on disk.

        A version that fails is listed with its reason and harms no other; what it was to replace stays.

        Parameters
        ----------
        found : mapping of str to ModelOnDisk
            What is on disk.
        names : iterable of str, optional
            The models in question. Default: all.
        """
        names = None if names is None else set(names)
        tried: set[Key] = set()
        while True:
            known = self.snapshot.versions
            decision = decide(found, known, self._version_policy, names)
            self._list_failed(decision)
            self._states.retire(decision.retire)
            # Of files that have changed since they were found, one try is enough.
            to_try = [key for key in decision.load if key not in tried]
            if not (decision.fail or decision.retire or to_try):
                return
            tried.update(to_try)
            for name, version in to_try:
                if self._closed:
                    return
                if self._states.of(name, version) is not known.get(name, {}).get(version):
                    continue  # somebody loaded or unloaded it meanwhile
                with contextlib.suppress(NumbatchError):  # logged and listed; an older version may take its place
                    self._load_found(name, version, found[name])

    def load_from_disk(self, name: str, version: int = 0, weights_precision: str = "") -> Entry:
        """Load a version from the repository, in the place of the one that has its number.

        Parameters
        ----------
        name : str
            The model.
        version : int
            0: the newest that the model's version policy wants; then the others that it wants are loaded if they are
            not there, and those that it does not want are unloaded. A version that is asked for by its number
            stays, whatever the policy, until it is unloaded.
        weights_precision : str
            "f32" or "bf16". "": that in which the version was loaded before, if it was, else that of the model's
            settings, else the registry's.

        Raises
        ------
        NumbatchError
            Why it could not be loaded; a version that was ready before still is, any other is listed as FAILED.
        """
        check_version(version)
        if weights_precision:
            checked_precision(weights_precision)
        try:
            found = self.survey([name])
            model = found.get(name)
            if model is None:
                raise model_not_found(name, self.survey(), _ON_DISK)
        except OSError as unreadable:
            raise error(Reason.MODEL_CORRUPT, str(unreadable)) from unreadable
        if model.problem:
            self._states.fail(name, 0, problem := _error_of(model.problem).about(model=name))
            raise problem
        policy = model.settings.version_policy or self._version_policy
        wanted = max(policy.choose(model.versions.keys()), default=0)
        chosen = version or wanted
        if chosen not in model.versions:
            where = _ON_DISK if version else f"{_ON_DISK} that the version policy {policy} wants"
            raise version_not_found(name, version, model.versions, where)
        entry = self._load_found(name, chosen, model, weights_precision, pinned=bool(version))
        if not version:
            self.load(found, [name])
        return entry

    def load_from_message(
        self, model: Model | Path, *, name: str = "", version: int = 0, weights_precision: str = "f32"
    ) -> Entry:
        """Load a version from a message, in the place of the one that has its number.

        Parameters
        ----------
        model : Model or Path
            The model with inline weights, or the folder that holds such a message; its name is then given.
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
        own_name = model.name if isinstance(model, Model) else ""
        if name and own_name and name != own_name:
            raise error(Reason.INVALID_FIELD, field="model.name", got=repr(own_name[:128]), expected=repr(name[:128]))
        name = name or own_name
        if not is_model_name(name):
            rule = "1 to 128 of the characters A-Z a-z 0-9 . _ -, starting with a letter or a digit"
            raise error(Reason.INVALID_FIELD, field="model_name", got=repr(name[:128]), expected=rule)
        settings = next((entry.settings for entry in self.snapshot.versions.get(name, {}).values()), DEFAULTS)
        version, before = self._states.begin_message(name, version)
        ready = Entry(
            name, version, MODEL_STATE_READY, weights_precision=weights_precision, settings=settings, pinned=True
        )
        try:
            return self._load_version(ready, model, weights_precision)
        except NumbatchError:
            self._states.restore(name, version, before)
            raise

    def unload(self, name: str, version: int = 0) -> list[Entry]:
        """Forget the model of one version, or with 0 of all versions; requests in progress finish on it.

        No policy loads them again before their files change.

        Returns
        -------
        list of Entry
            The versions that are unloaded now, newest first.

        Raises
        ------
        NotFoundError
            MODEL_NOT_FOUND, VERSION_NOT_FOUND.
        """
        return self._states.unload(name, version)

    def close(self) -> None:
        """Let what loads models return after the version that it is at."""
        self._closed = True

    def _load_found(
        self, name: str, version: int, model: ModelOnDisk, weights_precision: str = "", *, pinned: bool = False
    ) -> Entry:
        """Load a version that was found on disk."""
        there = model.versions[version]
        if there.problem:
            self._states.fail(name, version, problem := _error_of(there.problem).about(model=name, version=version))
            raise problem
        before = self._states.of(name, version) or Entry(name, version, MODEL_STATE_LOADING)
        ready = Entry(
            name,
            version,
            MODEL_STATE_READY,
            weights_precision=weights_precision or before.weights_precision,
            settings=model.settings,
            signature=there.signature,
            pinned=pinned or before.pinned,
        )
        self._states.begin(name, version, there.signature)
        precision = ready.weights_precision or model.settings.weights_precision or self._weights_precision
        return self._load_version(ready, there.folder, precision)

    def _load_version(self, ready: Entry, source: Path | Model, precision: str) -> Entry:
        """Load a version; what is known of it already is in the entry that is listed once it is ready."""
        name, version = ready.name, ready.version
        start = time.monotonic()
        reason = ""
        try:
            return self._try_to_load(ready, source, precision)
        except NumbatchError as refused:
            reason = str(refused.reason)
            raise
        finally:
            self._on_load(LoadReport(name, version, reason, time.monotonic() - start))

    def _try_to_load(self, ready: Entry, source: Path | Model, precision: str) -> Entry:
        name, version = ready.name, ready.version
        start = time.monotonic()
        try:
            expected = "" if self._any_name and ready.signature is not None else name
            loaded = self._loader.load(expected, source, precision, ready.settings.warm_up)
        except NumbatchError as refused:
            self._states.fail(name, version, refused.about(model=name, version=version), ready.signature)
            raise
        except Exception as bug:
            fields = {"model": name, "version": version}
            _log.exception("loading model=%(model)s version=%(version)d failed unexpectedly", fields)
            problem = error(Reason.INTERNAL, f"loading failed unexpectedly ({type(bug).__name__}); the log says more")
            self._states.fail(name, version, problem.about(model=name, version=version), ready.signature)
            raise problem from bug
        model = loaded.model
        # The folder that a message was handed over in is none of the repository's.
        signature = None if ready.signature is None else loaded.signature
        entry = replace(ready, model=model, signature=signature, held_bytes=loaded.held_bytes)
        self._states.ready(entry)
        _log.info(
            "loaded model=%(model)s version=%(version)d layers=%(layers)d parameters=%(parameters)d "
            "weights_precision=%(weights_precision)s packed_bytes=%(packed_bytes)d seconds=%(seconds).3f",
            {
                "model": name,
                "version": version,
                "layers": len(model.summary.layers),
                "parameters": model.summary.parameter_count,
                "weights_precision": precision,
                "packed_bytes": model.summary.packed_bytes,
                "seconds": time.monotonic() - start,
            },
        )
        return entry

    def _list_failed(self, decision: Decision) -> None:
        for name, version, reason in decision.fail:
            self._states.fail(name, version, _error_of(reason))


def _error_of(reason: str) -> NumbatchError:
    """Return the error for a reason that was written as one is listed: "MODEL_CORRUPT: the folder ..."."""
    name, _, message = reason.partition(": ")
    return error(Reason(name), message)
