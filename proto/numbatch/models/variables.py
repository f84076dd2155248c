"""The arrays of weights of layers: drawn when they are needed, or set."""

import math

import numpy as np
import numpy.typing as npt

from numbatch.models.initializers import Initializer
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Float32Array, as_float32, shape_text


class Variable:
    """An array of weights of a layer.

    Parameters
    ----------
    name : str
        As Keras calls it: "gamma".
    initializer : Initializer, optional
        What makes its first values. Default: it has none, and must be set.
    field : str
        As the layer's message calls it: "scale". Default: the name.
    hint : str
        What to do where it has neither an initialiser nor values.

    Attributes
    ----------
    layer_name : str
        For errors; kept up to date by the layer.
    shape : tuple of int or None
        None: not known yet.
    """

    def __init__(self, name: str, initializer: Initializer | None, field: str = "", hint: str = "") -> None:
        self.name = name
        self.field = field or name
        self.layer_name = ""
        self.shape: tuple[int, ...] | None = None
        self._initializer = initializer
        self._hint = hint
        self._value: Float32Array | None = None

    @property
    def path(self) -> str:
        """What errors call it: "dense.kernel"."""
        return f"{self.layer_name}.{self.name}"

    @property
    def size(self) -> int:
        """The number of its elements."""
        if self.shape is None:
            raise self._not_built()
        return math.prod(self.shape)

    def build(self, shape: tuple[int, ...]) -> None:
        """Say what shape it has; said again, it is the same."""
        if self.shape is not None and self.shape != shape:
            got, expected = shape_text(shape), f"{shape_text(self.shape)}, as it was built before"
            raise error(Reason.WEIGHTS_MISMATCH, "another input", field=self.path, got=got, expected=expected)
        self._check(self._value, shape)
        self.shape = shape

    def draw(self, rng: np.random.Generator | None = None) -> None:
        """Make its first values, unless it has some."""
        if self._value is None and self._initializer is not None and self.shape is not None:
            value = self._initializer(self.shape, rng)
            self._check(value, self.shape)
            self._value = _frozen(value)

    @property
    def value(self) -> Float32Array:
        """Its values, read-only."""
        self.draw()
        if self._value is None and self._initializer is None:
            raise error(Reason.INVALID_FIELD, "not known", field=self.path, hint=self._hint)
        if self._value is None:
            raise self._not_built()
        return self._value

    def checked(self, array: npt.ArrayLike) -> Float32Array:
        """Return values that it may have; before it is built, the shape is checked when it is."""
        value = as_float32(array, self.path)
        self._check(value, self.shape)
        return value

    def assign(self, value: Float32Array) -> None:
        """Set its values, which were checked."""
        self._value = _frozen(value)

    def _not_built(self) -> NumbatchError:
        hint = "call the layer on a symbol, such as Input((10,)), or put it into a model that is built"
        return error(Reason.INVALID_FIELD, "not built yet, so it has no shape", field=self.path, hint=hint)

    def _check(self, value: Float32Array | None, shape: tuple[int, ...] | None) -> None:
        if value is not None and shape is not None and value.shape != shape:
            got, expected = shape_text(value.shape), shape_text(shape)
            raise error(Reason.WEIGHTS_MISMATCH, "shape", field=self.path, got=got, expected=expected)


def _frozen(value: Float32Array) -> Float32Array:
    """Return a copy that cannot be written to: the caller's array is the caller's."""
    copy = value.copy()
    copy.flags.writeable = False
    return copy
