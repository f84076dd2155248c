"""Initialisers: what weights are until they are set, drawn from the distributions of Keras, within the same bounds.

>>> round(float(HeNormal(seed=1)((400, 100)).std()), 3)  # sqrt(2 / 400) is 0.071
0.07
>>> initializer_of("glorot_uniform", "dense.kernel_initializer")
GlorotUniform(scale=1.0, mode='fan_avg', distribution='uniform', seed=None)
"""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, Float32Array, as_float32

Shape: TypeAlias = Sequence[int]
Function: TypeAlias = Callable[[tuple[int, ...]], npt.ArrayLike]

# The standard deviation of a standard normal distribution that is cut off at -2 and 2.
_CUT_OFF_DEVIATION = 0.87962566103423978


class Initializer(ABC):
    """Makes the first values of weights.

    An initialiser with a seed makes the same values each time, wherever it is used. Without one it draws from the
    generator of the model, where each array continues after the one before it, or else from a new one.
    """

    seed: int | None = None

    def __call__(self, shape: Shape, rng: np.random.Generator | None = None) -> Float32Array:
        """Return values.

        Parameters
        ----------
        shape : sequence of int
            Of the array: of a kernel (inputs, units).
        rng : numpy.random.Generator, optional
            Drawn from if the initialiser has no seed. Default: a new one.

        Returns
        -------
        ndarray of float32
        """
        if rng is None or self.seed is not None:
            rng = np.random.default_rng(self.seed)
        return as_float32(self._values(tuple(shape), rng), type(self).__name__)

    @abstractmethod
    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> npt.ArrayLike: ...


@dataclass(frozen=True)
class Zeros(Initializer):
    """All 0."""

    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return np.zeros(shape, np.float32)


@dataclass(frozen=True)
class Ones(Initializer):
    """All 1."""

    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return np.ones(shape, np.float32)


@dataclass(frozen=True, eq=False)
class Constant(Initializer):
    """All the same number; or an array, of just the shape that the weights have."""

    value: npt.ArrayLike = 0.0

    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> npt.ArrayLike:
        return self.value if np.ndim(self.value) else np.full(shape, self.value)


@dataclass(frozen=True)
class RandomUniform(Initializer):
    """Uniform from minval to maxval."""

    minval: float = -0.05
    maxval: float = 0.05
    seed: int | None = None

    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return rng.uniform(self.minval, self.maxval, shape)


@dataclass(frozen=True)
class RandomNormal(Initializer):
    """Normal, with this mean and standard deviation."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return rng.normal(self.mean, self.stddev, shape)


@dataclass(frozen=True)
class TruncatedNormal(Initializer):
    """Normal, but what is further than two `stddev` from the mean is drawn again."""

    mean: float = 0.0
    stddev: float = 0.05
    seed: int | None = None

    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        return self.mean + self.stddev * _cut_off_normal(shape, rng)


@dataclass(frozen=True)
class VarianceScaling(Initializer):
    """Mean 0 and variance scale / n, where n is the number of inputs, of units, or the mean of both.

    Attributes
    ----------
    scale : float
        More than 0.
    mode : str
        What n is: "fan_in", "fan_out" or "fan_avg".
    distribution : str
        "uniform", up to sqrt(3 scale / n); "truncated_normal", up to 2.27 sqrt(scale / n); or "untruncated_normal".
    seed : int, optional
        See `Initializer`.
    """

    scale: float = 1.0
    mode: str = "fan_in"
    distribution: str = "truncated_normal"
    seed: int | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise _invalid(f"{type(self).__name__}.scale", self.scale, "a number above 0")
        if self.mode not in ("fan_in", "fan_out", "fan_avg"):
            raise _invalid(f"{type(self).__name__}.mode", repr(self.mode), "fan_in, fan_out or fan_avg")
        if self.distribution not in ("uniform", "truncated_normal", "untruncated_normal"):
            expected = "uniform, truncated_normal or untruncated_normal"
            raise _invalid(f"{type(self).__name__}.distribution", repr(self.distribution), expected)

    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
        fan_in, fan_out = (shape[0], shape[-1]) if shape else (1, 1)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        if self.distribution == "uniform":
            limit = math.sqrt(3 * self.scale / n)
            return rng.uniform(-limit, limit, shape)
        deviation = math.sqrt(self.scale / n)
        if self.distribution == "untruncated_normal":
            return rng.normal(0, deviation, shape)
        return deviation / _CUT_OFF_DEVIATION * _cut_off_normal(shape, rng)


class GlorotUniform(VarianceScaling):
    """Uniform with variance 2 / (inputs + units) (Glorot and Bengio, 2010): the kernels of Dense, by default."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "uniform", seed)


class GlorotNormal(VarianceScaling):
    """Truncated normal with variance 2 / (inputs + units) (Glorot and Bengio, 2010)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_avg", "truncated_normal", seed)


class HeUniform(VarianceScaling):
    """Uniform with variance 2 / inputs (He and others, 2015)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed)


class HeNormal(VarianceScaling):
    """Truncated normal with variance 2 / inputs (He and others, 2015)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed)


class LecunUniform(VarianceScaling):
    """Uniform with variance 1 / inputs (LeCun and others, 1998; Klambauer and others, 2017)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed)


class LecunNormal(VarianceScaling):
    """Truncated normal with variance 1 / inputs (LeCun and others, 1998; Klambauer and others, 2017)."""

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed)


class _Written(Initializer):
    """A function of the user's."""

    def __init__(self, function: Function) -> None:
        self.function = function

    def _values(self, shape: tuple[int, ...], rng: np.random.Generator) -> npt.ArrayLike:
        return self.function(shape)


_CLASSES: tuple[type[Any], ...] = (
    Zeros, Ones, Constant, RandomUniform, RandomNormal, TruncatedNormal, VarianceScaling,
    GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal,
)  # fmt: skip
_BY_NAME = {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", each.__name__).lower(): each for each in _CLASSES}
_OTHER_NAMES = {each.__name__: each for each in _CLASSES}
_OTHER_NAMES |= {"uniform": RandomUniform, "normal": RandomNormal, "zero": Zeros, "one": Ones}


# What a layer takes for one: its name, itself, or a function from a shape to values.
Initial: TypeAlias = str | Initializer | Function


def initializer_of(given: Initial, field: str) -> Initializer:
    """Return the initialiser that is meant.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD, if there is no such name, or it is none of these.
    """
    if isinstance(given, Initializer):
        return given
    if isinstance(given, str):
        named = _BY_NAME.get(given) or _OTHER_NAMES.get(given)
        if named is None:
            raise _invalid(field, repr(given), ", ".join(_BY_NAME))
        made: Initializer = named()
        return made
    if callable(given):
        return _Written(given)
    raise _invalid(field, type(given).__name__, "an initialiser, its name, or a function of a shape")


def _cut_off_normal(shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    values = rng.standard_normal(shape)
    while np.any(far := np.abs(values) > 2):
        values[far] = rng.standard_normal(np.count_nonzero(far))
    return values


def _invalid(field: str, got: Any, expected: str) -> Exception:
    return error(Reason.INVALID_FIELD, field=field, got=got, expected=expected)
