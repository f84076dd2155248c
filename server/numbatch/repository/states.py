"""The states of all versions: changed under a lock, one snapshot after the other, and told to whoever wants to know."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

from numbatch.repository.signature import NOT_TRIED, Signature
from numbatch.repository.snapshot import Entry, Snapshot
from numbatch.v1.repository_pb2 import (
    MODEL_STATE_FAILED,
    MODEL_STATE_LOADING,
    MODEL_STATE_UNLOADED,
)
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

_log = logging.getLogger(__name__)


class States:
    """Holds the snapshot that is true now, and makes the next one.

    Parameters
    ----------
    on_change : callable
        Called after every change, on the thread that made it.

    Attributes
    ----------
    snapshot : Snapshot
        What is known now. It does not change any more; ask again for what is known later.
    """

    def __init__(self, on_change: Callable[[], None]) -> None:
        self.snapshot = Snapshot()
        self._on_change = on_change
        self._lock = threading.Lock()

    def of(self, name: str, version: int) -> Entry | None:
        """Return how it stands with a version, or None if it is not known."""
        return self.snapshot.versions.get(name, {}).get(version)

    def begin(self, name: str, version: int, signature: Signature | None) -> None:
        """List a version as LOADING, unless it answers requests: then it goes on doing so."""
        with self._lock:
            self._begin(name, version, signature)
        self._on_change()

    def begin_message(self, name: str, version: int) -> tuple[int, Entry | None]:
        """List a version that comes in a message as LOADING; return its number and what was known of it.

        With version 0 it is the one after the newest.
        """
        with self._lock:
            version = version or max(self.snapshot.versions.get(name, {}), default=0) + 1
            before = self.of(name, version)
            self._begin(name, version, None)
        self._on_change()
        return version, before

    def ready(self, entry: Entry) -> None:
        """List a version as READY.

        Raises
        ------
        UnavailableError
            MODEL_NOT_READY, if it was unloaded since its loading began: so it stays.
        """
        with self._lock:
            current = self.of(entry.name, entry.version)
            if current is not None and current.state == MODEL_STATE_UNLOADED:
                problem = error(Reason.MODEL_NOT_READY, "it was unloaded while it was loaded")
                raise problem.about(model=entry.name, version=entry.version)
            self._put(entry)
        self._on_change()

    def fail(self, name: str, version: int, problem: NumbatchError, signature: Signature | None = NOT_TRIED) -> None:
        """List a version as FAILED, unless it answers requests: then the one that failed was to replace it."""
        _log.error(
            "cannot load model=%(model)s version=%(version)d: %(reason)s: %(problem)s",
            {"model": name, "version": version, "reason": str(problem.reason), "problem": problem.message},
        )
        with self._lock:
            current = self.of(name, version) or Entry(name, version, MODEL_STATE_FAILED)
            reason = f"{problem.reason}: {problem.message}"
            if current.model is None:
                self._put(replace(current, state=MODEL_STATE_FAILED, reason=reason, signature=signature))
            elif signature is not None:
                self._put(replace(current, reason=reason, signature=signature))
        self._on_change()

    def unload(self, name: str, version: int) -> list[Entry]:
        """List one version, or with 0 all versions of a model, as UNLOADED, and return them, newest first.

        Raises
        ------
        NotFoundError
            MODEL_NOT_FOUND, VERSION_NOT_FOUND.
        """
        with self._lock:
            entries = [
                replace(entry, state=MODEL_STATE_UNLOADED, reason="", model=None, pinned=False, held_bytes=0)
                for entry in self.snapshot.known(name, version)
                if entry.version
            ]
            for entry in entries:
                self._put(entry)
        self._on_change()
        for entry in entries:
            fields = {"model": entry.name, "version": entry.version}
            _log.info("unloaded model=%(model)s version=%(version)d", fields)
        return entries

    def retire(self, versions: Iterable[tuple[str, int]]) -> None:
        """Forget versions that are not to be served any more; requests in progress finish on them."""
        for name, version in versions:
            with self._lock:
                known = dict(self.snapshot.versions.get(name, {}))
                gone = known.pop(version, None)
                self.snapshot = self.snapshot.replace(name, known.values())
            if gone is not None and gone.model is not None:
                fields = {"model": name, "version": version}
                _log.info("unloaded model=%(model)s version=%(version)d: it is not to be served any more", fields)
            self._on_change()

    def restore(self, name: str, version: int, before: Entry | None) -> None:
        """Put back what was known of a version before it failed; nothing else is undone."""
        with self._lock:
            known = dict(self.snapshot.versions[name])
            if known[version].state not in (MODEL_STATE_LOADING, MODEL_STATE_FAILED):
                return  # it was ready all along, another load of it has succeeded, or it was unloaded
            del known[version]
            entries = [*known.values(), *([before] if before else [])]
            self.snapshot = self.snapshot.replace(name, entries)
        self._on_change()

    def _begin(self, name: str, version: int, signature: Signature | None) -> None:
        current = self.of(name, version) or Entry(name, version, MODEL_STATE_LOADING)
        if current.model is None:
            self._put(replace(current, state=MODEL_STATE_LOADING, reason="", signature=signature))

    def _put(self, entry: Entry) -> None:
        known = self.snapshot.versions.get(entry.name, {})
        self.snapshot = self.snapshot.replace(entry.name, {**known, entry.version: entry}.values())
