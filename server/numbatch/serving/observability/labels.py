"""Which labels a request gets: names that callers make up must not make series without end."""

from collections.abc import Callable

# What callers name is any text; these stand for it, and are no model's name.
UNKNOWN = "(unknown)"
OTHER = "(other)"

# A server that is given a new version every minute would otherwise fill the memory of its monitoring.
MOST_VERSIONS = 1000


class VersionLabels:
    """Turns the model and version of a request into labels, of which there is a bounded number.

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
        if not self._known(model, 0):
            return UNKNOWN
        if model not in self._models:
            if len(self._models) >= self._most:
                return OTHER
            self._models.add(model)
        return model

    def of(self, model: str, version: int) -> tuple[str, str]:
        """Return the labels `model` and `version`.

        The version 0 is that of a request which asked for the newest one and did not run.
        """
        label = self.of_model(model)
        if label != model:
            return label, label
        if not self._known(model, version):
            return label, UNKNOWN
        if (model, version) not in self._versions:
            if len(self._versions) >= self._most:
                return label, OTHER
            self._versions.add((model, version))
        return label, str(version)
