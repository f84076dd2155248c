"""Which labels models and versions get: neither names that callers make up nor new versions make series without end."""

from collections.abc import Callable, Hashable
from typing import TypeVar

# What callers name is any text; these stand for it, and are no model's name.
UNKNOWN = "(unknown)"
OTHER = "(other)"

# A server that is given a new version every minute would otherwise fill the memory of its monitoring.
MOST_VERSIONS = 1000

_Key = TypeVar("_Key", bound=Hashable)


class VersionLabels:
    """Turns models and versions into labels, of which there is a bounded number.

    Parameters
    ----------
    known : callable
        Says whether the server knows a version of a model, in any state; 0 stands for "the newest".
    most : int
        How many models, and how many versions of all of them, get labels of their own.
    """

    def __init__(self, known: Callable[[str, int], bool], most: int = MOST_VERSIONS) -> None:
        self._known = known
        self._most = most
        self._versions: set[tuple[str, int]] = set()
        self._models: set[str] = set()

    def of_model(self, model: str) -> str:
        """Return the label `model`."""
        return self.of_known_model(model) if self._known(model, 0) else UNKNOWN

    def of(self, model: str, version: int) -> tuple[str, str]:
        """Return the labels `model` and `version`.

        The version 0 is that of a request which asked for the newest one and did not run.
        """
        label = self.of_model(model)
        if label != model:
            return label, label
        return self.of_known(model, version) if self._known(model, version) else (label, UNKNOWN)

    def of_known_model(self, model: str) -> str:
        """Return the label `model` of a model that the server has, or had."""
        return model if _is_among(self._models, model, self._most) else OTHER

    def of_known(self, model: str, version: int) -> tuple[str, str]:
        """Return the labels `model` and `version` of a version that the server has, or had."""
        label = self.of_known_model(model)
        if label != model:
            return label, label
        return model, str(version) if _is_among(self._versions, (model, version), self._most) else OTHER


def _is_among(first: set[_Key], key: _Key, most: int) -> bool:
    """Return whether something is among the first so many that there were; it is put there while there is room."""
    if key not in first and len(first) < most:
        first.add(key)
    return key in first
