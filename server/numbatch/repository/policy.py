"""Version policies: which of a model's versions on disk are served."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason


class VersionPolicy(Protocol):
    """Chooses versions. `str` gives the form in which an operator writes it."""

    def choose(self, versions: Collection[int], failed: Collection[int] = ()) -> frozenset[int]:
        """Return those of the versions that are to be served, if some of them cannot be loaded."""


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest so many of those that can be loaded: an older one takes the place of one that cannot."""

    count: int = 1

    def choose(self, versions: Collection[int], failed: Collection[int] = ()) -> frozenset[int]:
        """Return the newest ones."""
        return frozenset(sorted(set(versions) - set(failed), reverse=True)[: self.count])

    def __str__(self) -> str:
        return f"latest:{self.count}"


LATEST = Latest()


@dataclass(frozen=True, slots=True)
class All:
    """Every version."""

    def choose(self, versions: Collection[int], failed: Collection[int] = ()) -> frozenset[int]:
        """Return all that can be loaded."""
        return frozenset(versions) - frozenset(failed)

    def __str__(self) -> str:
        return "all"


@dataclass(frozen=True, slots=True)
class Specific:
    """Those that are listed."""

    versions: tuple[int, ...]

    def choose(self, versions: Collection[int], failed: Collection[int] = ()) -> frozenset[int]:
        """Return those of the list that are there and can be loaded."""
        return frozenset(self.versions) & frozenset(versions) - frozenset(failed)

    def __str__(self) -> str:
        return "specific:" + ",".join(map(str, self.versions))


def parse_policy(text: str, field: str = "version_policy") -> VersionPolicy:
    """Return the policy that an operator wrote: "latest:2", "all", "specific:1,3".

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    kind, _, rest = text.partition(":")
    if text == "all":
        return All()
    if kind == "latest" and re.fullmatch(r"[1-9][0-9]{0,8}", rest):
        return Latest(int(rest))
    if kind == "specific" and re.fullmatch(r"[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})*", rest):
        return Specific(tuple(map(int, rest.split(","))))
    raise error(
        Reason.INVALID_FIELD, field=field, got=repr(text), expected="latest:N with N from 1 on, all, or specific:N,N"
    )
