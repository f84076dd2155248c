"""Arrays of a network, as PyTorch has them and as the model does."""

from typing import NamedTuple

from numbatch.wire.graph import Symbol
from numbatch.wire.layers import Shape


def held(shape: Shape) -> Shape:
    """Return the axes that the model has for an example of these in PyTorch."""
    return shape or (1,)


class Value(NamedTuple):
    """An array of the network, and the axes of one example of it in PyTorch.

    PyTorch has arrays of one number for each row, of shape [batch]; the model has them as [batch, 1]. Of row numbers,
    it may be a part of the last axis, from one to before another; if PyTorch has dropped that axis, it has length 1.
    """

    symbol: Symbol
    shape: Shape
    part: tuple[int, int] | None = None

    @property
    def axes(self) -> Shape:
        """Those that the model has for one example of it."""
        if self.part is None:
            return self.symbol.shape
        return (*self.symbol.shape[:-1], self.part[1] - self.part[0])

    def fits(self, shape: Shape) -> bool:
        """Whether it may have these axes in PyTorch as it is."""
        return self.axes == held(shape) or self.symbol.integer and self.axes == (*shape, 1)
