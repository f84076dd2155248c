"""Changes of the models, which all workers make, and the journal that tells them to workers that come later."""

from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Change:
    """What a worker was asked to change, so that others who are asked the same become the same.

    Attributes
    ----------
    name : str
        The model.
    version : int
        As it was asked for; of a message, the number that it was given.
    loads : bool
        Whether it is loaded; else it is unloaded.
    result : int
        The version that was loaded.
    weights_precision : str
        That in which it is loaded, as far as somebody asked for one.
    folder : str
        The folder of the runtime directory from which it is loaded; "": the repository.
    """

    name: str
    version: int
    loads: bool
    result: int = 0
    weights_precision: str = ""
    folder: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Return the change that became this JSON."""
        return cls(**values)


class Journal:
    """The last change of each version, in the order in which they were made."""

    def __init__(self) -> None:
        self._changes: list[Change] = []

    @property
    def changes(self) -> list[Change]:
        """What a new worker has to make after it has loaded the repository."""
        return list(self._changes)

    def add(self, change: Change) -> list[str]:
        """Note a change; return the folders of those that it supersedes, which nobody will read any more."""
        superseded = [before for before in self._changes if _supersedes(change, before)]
        self._changes = [before for before in self._changes if before not in superseded] + [change]
        return [before.folder for before in superseded if before.folder]


def _supersedes(change: Change, before: Change) -> bool:
    """Tell whether nothing is left of what was changed before. Version 0 is the newest to load, and all to unload."""
    if change.name != before.name:
        return False
    if change.version == 0:
        return not change.loads or (before.version == 0 and before.loads)
    return change.version == before.version
