"""Following a repository on disk: looked at again and again, acted on when it has come to rest."""

import logging

from numbatch.repository.registry import Registry
from numbatch.repository.survey import Survey

_log = logging.getLogger(__name__)


class Poller:
    """Brings into memory what has changed on disk. `poll` is called every so often, by whoever has a clock.

    A model is acted on once nothing in its folder has changed from one call to the next, so that a version that is
    being copied is not loaded by half. A repository that cannot be read, or in which there is nothing where there were
    models, is taken for a disk that is not there at the moment, and nothing is unloaded.

    Parameters
    ----------
    registry : Registry
        The models in memory.
    found : mapping of str to ModelOnDisk
        What was on disk when they were loaded.
    """

    def __init__(self, registry: Registry, found: Survey) -> None:
        self._registry = registry
        self._before = found
        self._problem = ""

    def poll(self) -> None:
        """Look, and act on what is the same as when it was looked at before."""
        try:
            now = self._registry.survey()
        except OSError as unreadable:
            self._report(f"{unreadable}; what was loaded from it stays")
            return
        if not now and self._before:
            self._report("the model repository is empty; what was loaded from it stays until it is unloaded on request")
            return
        self._report("")
        names = now.keys() | self._before.keys() | self._registry.snapshot.versions.keys()
        settled = [name for name in names if now.get(name) == self._before.get(name)]
        self._before = now
        self._registry.load(now, settled)

    def _report(self, problem: str) -> None:
        """Log a problem when it begins, and not again as long as it lasts."""
        if problem and problem != self._problem:
            _log.warning("%s", problem)
        self._problem = problem
