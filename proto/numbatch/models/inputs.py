"""The inputs of models.

>>> Input((10,), name="features")
<Symbol features: (None, 10) float32>
"""

from collections.abc import Sequence

import numpy as np

from numbatch.models.layer import Call, Layer, Symbol
from numbatch.wire.errors import error
from numbatch.wire.layers import ArrayType
from numbatch.wire.reasons import Reason


class InputLayer(Layer):
    """What gives a model's input. Made by `Input`."""

    def __init__(self, array_type: ArrayType, name: str) -> None:
        super().__init__(name=name)
        (self.symbol,) = self._given = Call(self, (), [array_type]).outputs

    @property
    def name(self) -> str:
        """Its name, "input" if none was given."""
        return self._name or "input"


def Input(shape: Sequence[int], *, name: str = "", dtype: str = "float32") -> Symbol:
    """Return the symbol of an input.

    Parameters
    ----------
    shape : sequence of int
        The axes of one example, without the batch; one or more.
    name : str
        Under which requests bring it. Default: "input", numbered where a model has several.
    dtype : str
        "float32", or "int32" for the row numbers that an Embedding takes.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    field, expected = f"{name or 'input'}.shape", "a tuple of one or more axes of 1 or more, without the batch: (10,)"
    axes = tuple(shape) if isinstance(shape, Sequence) and not isinstance(shape, str) else ()
    if not axes or not all(isinstance(each, int | np.integer) and each >= 1 for each in axes):
        raise error(Reason.INVALID_FIELD, field=field, got=shape, expected=expected)
    if dtype not in ("float32", "int32"):
        expected = "float32, or int32 for row numbers"
        raise error(Reason.INVALID_FIELD, field=f"{name or 'input'}.dtype", got=repr(dtype), expected=expected)
    return InputLayer(ArrayType(tuple(map(int, axes)), dtype == "int32"), name).symbol
