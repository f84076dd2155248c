"""What flows through a network while it is translated: arrays of the graph, and what is not decided yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numbatch.convert.keras.network import Operation
from numbatch.wire.graph import Symbol
from numbatch.wire.tensors import Array

if TYPE_CHECKING:
    from numbatch.convert.keras.translation import Translation


@dataclass(eq=False)
class Input:
    """An input of the model: numbers, or row numbers of tables, which who takes it first decides."""

    name: str
    shape: tuple[int, ...]
    symbol: Symbol | None = None


@dataclass(frozen=True, eq=False)
class Part:
    """Some elements of the last axis of an input; `alone`: one, whose axis is gone."""

    of: Input
    start: int
    stop: int
    alone: bool

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes of one example."""
        return self.of.shape[:-1] if self.alone else (*self.of.shape[:-1], self.stop - self.start)


@dataclass(frozen=True, eq=False)
class Whole:
    """An input, or a part of it, made integer by a cast, which only a table may take."""

    of: Input | Part


@dataclass(eq=False)
class Rows:
    """Rows looked up in a table, which stay apart unless they are pooled next."""

    name: str
    ids: Input | Part
    table: Array
    masked: bool
    symbol: Symbol | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The axes of one example."""
        return (*self.ids.shape, self.table.shape[-1])


@dataclass(frozen=True, eq=False)
class Mask:
    """Which row numbers are not 0."""

    ids: Input | Part


Value = Symbol | Input | Part | Whole | Rows | Mask


@dataclass(frozen=True)
class Use:
    """A call that is being translated.

    Attributes
    ----------
    operation : Operation
        What is called.
    name : str
        What its output is called: "inner/dense".
    args, kwargs
        With values in place of Refs.
    to : Translation
        What is written.
    """

    operation: Operation
    name: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    to: "Translation"

    def parameter(self, name: str, default: Any = None) -> Any:
        """Return an argument of the call, or else of the operation's config."""
        given = self.kwargs.get(name)
        return self.operation.config.get(name, default) if given is None else given

    @property
    def operands(self) -> list[Any]:
        """The tensors and constants that it is called with, in order."""
        named = [self.kwargs[name] for name in _OPERANDS if self.kwargs.get(name) is not None]
        return [each for part in (*self.args, *named) for each in (part if type(part) in (list, tuple) else [part])]

    @property
    def value(self) -> Any:
        """The first of them."""
        return self.operands[0]

    @property
    def x(self) -> Symbol:
        """The first of them, as an array of float32."""
        return self.to.floats(self.value, self)


_OPERANDS = ("inputs", "x", "x1", "a", "y", "x2", "b", "values", "xs")
