"""How the arrays of a model come: one, several in a list, or several by name."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from numbatch.models.layer import Symbol, check_symbols
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason


class Structure(NamedTuple):
    """One array, a list of them, or a mapping.

    Attributes
    ----------
    keys : tuple of str
        Of a mapping; else a name "" for each array.
    is_one : bool
        Whether it is an array by itself.
    """

    keys: tuple[str, ...]
    is_one: bool = False

    @property
    def is_mapping(self) -> bool:
        """Whether the arrays come by name."""
        return any(self.keys)

    def pack(self, items: Sequence[Any]) -> Any:
        """Return items as they come here."""
        if self.is_one:
            return items[0]
        return dict(zip(self.keys, items, strict=True)) if self.is_mapping else list(items)

    def unpack(self, given: Any, name: str) -> list[Any]:
        """Return the items of what comes as they do here, in the order here.

        Raises
        ------
        InvalidArgumentError
            INVALID_FIELD, if they come in another way; `name` is that of the model.
        """
        other, items = structure_of(given)
        if other.is_mapping and set(other.keys) == set(self.keys):
            return [given[key] for key in self.keys]
        if other.is_mapping or len(items) != len(self.keys):
            raise error(Reason.INVALID_FIELD, field=f"{name}.inputs", got=other, expected=self)
        return items

    def __str__(self) -> str:
        return ", ".join(self.keys) if self.is_mapping else "one" if len(self.keys) == 1 else f"{len(self.keys)}"


def structure_of(given: Any) -> tuple[Structure, list[Any]]:
    """Return how things come, and the things."""
    if isinstance(given, Mapping):
        return Structure(tuple(given)), list(given.values())
    if isinstance(given, list | tuple):
        return Structure(("",) * len(given)), list(given)
    return Structure(("",), is_one=True), [given]


def symbols_of(given: Any, field: str) -> tuple[Structure, list[Symbol]]:
    """Return how symbols come, and the symbols.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if they are none.
    """
    structure, items = structure_of(given)
    check_symbols(items, field)
    if not items:
        raise error(Reason.INVALID_FIELD, field=field, got="none", expected="one or more")
    return structure, items
