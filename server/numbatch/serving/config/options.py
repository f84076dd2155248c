"""How a field of the configuration is written down: once, with all that checks, flags and help need."""

import math
from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, NamedTuple

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason


class Option(NamedTuple):
    """What is known of a field beside its name, type and default.

    Attributes
    ----------
    help : str
        For `numbatch serve --help`: what it does, in whole sentences.
    metavar : str
        What stands for the value in the help; "" for what follows from its type.
    choices : sequence of str
        The values that there are; empty: any.
    least, most : float or None
        The range, both included.
    check : callable
        Called with the value and the name of the field, where that is neither None nor empty; raises
        InvalidArgumentError.
    """

    help: str
    metavar: str = ""
    choices: Sequence[str] = ()
    least: float | None = None
    most: float | None = None
    check: Callable[[Any, str], object] | None = None


def option(default: Any, help_text: str, **known: Any) -> Any:
    """Return the field of a group of options: its default, its help, and what else is known of it (`Option`)."""
    return field(default=default, metadata={"option": Option(help_text, **known)})


def option_of(described: Field[Any]) -> Option:
    """Return what is known of a field."""
    known: Option = described.metadata["option"]
    return known


@dataclass(frozen=True, kw_only=True)
class Options:
    """A group of options; all are checked when it is made.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, naming the field.
    """

    def __post_init__(self) -> None:
        """Check every field."""
        for described in fields(self):
            value = getattr(self, described.name)
            if value is not None:
                _check(described.name, value, option_of(described))


def _check(name: str, value: Any, known: Option) -> None:
    if known.choices and value not in known.choices:
        raise error(Reason.INVALID_FIELD, field=name, got=repr(value), expected=", ".join(known.choices))
    least, most = known.least, known.most
    if least is not None or most is not None:
        low = -math.inf if least is None else least
        high = math.inf if most is None else most
        if not (math.isfinite(value) and low <= value <= high):
            expected = f"{low:.15g} to {high:.15g}" if math.isfinite(high) else f"{low:.15g} or more, finite"
            raise error(Reason.INVALID_FIELD, field=name, got=value, expected=expected)
    if known.check is not None and value:
        known.check(value, name)
