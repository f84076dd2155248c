"""What the server knows of its models at one moment: immutable, so that requests read it without a lock."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from numbatch.engine import LoadedModel
from numbatch.repository.settings import DEFAULTS, ModelSettings
from numbatch.repository.signature import Signature
from numbatch.v1.repository_pb2 import (
    MODEL_STATE_FAILED,
    MODEL_STATE_LOADING,
    MODEL_STATE_UNLOADED,
    ModelState,
    ModelStatus,
)
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.names import is_model_name
from numbatch.wire.reasons import Reason

# So many names or numbers are listed in an error.
_LISTED = 8

_STATE_WORDS = {
    MODEL_STATE_LOADING: "it is being loaded",
    MODEL_STATE_FAILED: "it could not be loaded",
    MODEL_STATE_UNLOADED: "it was unloaded",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """How it stands with one version.

    Attributes
    ----------
    name : str
        The model.
    version : int
        1 or more; 0 where no version could be read.
    state : ModelState
        READY if and only if `model` is there.
    reason : str
        Why, for FAILED. For READY: why what is on disk now was not loaded in its place, if it was tried. Else "".
    model : LoadedModel or None
        What answers.
    weights_precision : str
        That which somebody asked for when it was loaded last, unloaded since or not; "" if nobody did.
    settings : ModelSettings
        How the model is served; those of its files that this version was loaded with.
    signature : Signature or None
        Of the files that were tried last. None: it came in a message.
    pinned : bool
        Somebody asked for this version by its number: no policy unloads it.
    held_bytes : int
        What it holds in memory, with scratch memory for a batch; 0 unless it is READY.
    """

    name: str
    version: int
    state: ModelState
    reason: str = ""
    model: LoadedModel | None = None
    weights_precision: str = ""
    settings: ModelSettings = DEFAULTS
    signature: Signature | None = None
    pinned: bool = False
    held_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All versions by model and number, and the version of each model that answers by default: its newest ready one."""

    versions: Mapping[str, Mapping[int, Entry]] = field(default_factory=lambda: MappingProxyType({}))
    defaults: Mapping[str, Entry] = field(default_factory=lambda: MappingProxyType({}))

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over all versions, ordered by model, then number."""
        for name in sorted(self.versions):
            for version in sorted(self.versions[name]):
                yield self.versions[name][version]

    def replace(self, name: str, entries: Iterable[Entry]) -> "Snapshot":
        """Return a snapshot that has these versions of a model instead of those it had."""
        versions = {entry.version: entry for entry in entries}
        ready = [entry for entry in versions.values() if entry.model is not None]
        all_versions = {**self.versions, name: MappingProxyType(versions)}
        defaults = dict(self.defaults)
        defaults.pop(name, None)
        if ready:
            defaults[name] = max(ready, key=lambda entry: entry.version)
        if not versions:
            del all_versions[name]
        return Snapshot(MappingProxyType(all_versions), MappingProxyType(defaults))

    def ready(self, name: str, version: int = 0) -> tuple[int, LoadedModel]:
        """Return the number and the model of the version that answers a request.

        Parameters
        ----------
        name : str
            The model.
        version : int
            0: the newest that is ready.

        Raises
        ------
        NotFoundError
            MODEL_NOT_FOUND, VERSION_NOT_FOUND.
        UnavailableError
            MODEL_NOT_READY.
        InvalidArgumentError
            INVALID_FIELD, if the name is empty or the version negative.
        """
        entry = self.defaults.get(name) if version == 0 else self.versions.get(name, {}).get(version)
        if entry is None or entry.model is None:
            raise self._not_ready(name, version)
        return entry.version, entry.model

    def known(self, name: str, version: int = 0) -> list[Entry]:
        """Return one version, or with 0 all versions of a model, in any state, newest first.

        Raises
        ------
        NotFoundError
            MODEL_NOT_FOUND, VERSION_NOT_FOUND.
        InvalidArgumentError
            INVALID_FIELD, if the name is empty or the version negative.
        """
        check_version(version)
        versions = self.versions.get(name)
        if versions is None:
            raise model_not_found(name, self.versions)
        if version == 0:
            return sorted(versions.values(), key=lambda entry: -entry.version)
        if version not in versions:
            raise version_not_found(name, version, versions)
        return [versions[version]]

    def status(self, entry: Entry) -> ModelStatus:
        """Return the message that says how it stands with a version."""
        return ModelStatus(
            model_name=entry.name,
            model_version=entry.version,
            state=entry.state,
            reason=entry.reason,
            default_version=self.defaults.get(entry.name) is entry,
        )

    def _not_ready(self, name: str, version: int) -> NumbatchError:
        newest = self.known(name, version)[0]
        problem = f"not ready: {_STATE_WORDS[newest.state]}" + (f": {newest.reason}" if newest.reason else "")
        subject = f"version {newest.version} of model {name!r} is " if newest.version else f"model {name!r} is "
        return error(Reason.MODEL_NOT_READY, subject + problem).about(model=name, version=newest.version)


def check_version(version: int) -> None:
    """Refuse numbers that are no version.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    if version < 0:
        raise error(Reason.INVALID_FIELD, field="model_version", got=version, expected="0 (the newest) or more")


def model_not_found(name: str, known: Iterable[str], where: str = "on this server") -> NumbatchError:
    """Return the error for a name that is no model: it names the models that there are, and the closest one."""
    names = sorted(known)
    if not name:
        return error(Reason.INVALID_FIELD, "required", field="model_name", got="''", expected=_listed(names))
    # The search for the closest name takes time that grows with the length of what came.
    close = difflib.get_close_matches(name, names, n=1) if is_model_name(name) else []
    return error(
        Reason.MODEL_NOT_FOUND,
        f"no such model {where}",
        field="model_name",
        got=repr(name[:128]),
        expected=_listed(names) or "nothing: there are no models",
        hint=f"did you mean {close[0]!r}?" if close else "",
    ).about(model=name)


def version_not_found(name: str, version: int, known: Iterable[int], where: str = "on this server") -> NumbatchError:
    """Return the error for a number that is no version of a model: it names those that there are."""
    numbers = [str(number) for number in sorted(known, reverse=True) if number]
    return error(
        Reason.VERSION_NOT_FOUND,
        f"no such version of model {name!r} {where}",
        field="model_version",
        got=version,
        expected=_listed(numbers) or "nothing: it has no versions",
    ).about(model=name, version=version)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more
