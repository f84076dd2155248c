"""Initialisers: the distributions that Keras and the papers say, and who draws from which generator."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from numbatch.models import Dense, Input, Sequential
from numbatch.models.initializers import (
    Constant,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LecunNormal,
    LecunUniform,
    Ones,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
    initializer_of,
)
from numbatch.wire.errors import InvalidArgumentError, InvalidModelError

INPUTS, UNITS = 300, 500

# What is cut off at two standard deviations keeps this share of its standard deviation.
CUT = 0.87962566103423978


def of_variance(variance: float, distribution: str) -> tuple[float, float]:
    """The standard deviation of a distribution with this variance, and how far its values go."""
    deviation = math.sqrt(variance)
    return deviation, deviation * (math.sqrt(3) if distribution == "uniform" else 2 / CUT)


@pytest.mark.parametrize(
    ("initializer", "deviation", "bound"),
    [
        (GlorotUniform(seed=1), *of_variance(2 / (INPUTS + UNITS), "uniform")),
        (GlorotNormal(seed=1), *of_variance(2 / (INPUTS + UNITS), "normal")),
        (HeUniform(seed=1), *of_variance(2 / INPUTS, "uniform")),
        (HeNormal(seed=1), *of_variance(2 / INPUTS, "normal")),
        (LecunUniform(seed=1), *of_variance(1 / INPUTS, "uniform")),
        (LecunNormal(seed=1), *of_variance(1 / INPUTS, "normal")),
        (VarianceScaling(3.0, "fan_out", "uniform", seed=1), *of_variance(3 / UNITS, "uniform")),
        (VarianceScaling(3.0, "fan_out", seed=1), *of_variance(3 / UNITS, "normal")),
        (RandomUniform(seed=1), 0.1 / math.sqrt(12), 0.05),
        (RandomUniform(-3, 3, seed=1), 6 / math.sqrt(12), 3),
        (TruncatedNormal(stddev=0.5, seed=1), 0.5 * CUT, 1.0),
    ],
    ids=repr,
)
def test_values_have_the_published_variance_and_reach_their_bound_but_not_further(
    initializer: Initializer, deviation: float, bound: float
) -> None:
    values = initializer((INPUTS, UNITS))
    assert values.dtype == np.float32
    # 150 000 values: the mean is known to 0.0026 of the deviation, the deviation itself to 0.2 %. Four times that.
    assert abs(values.mean()) < 0.0104 * deviation
    assert values.std() == pytest.approx(deviation, rel=0.008)
    largest = np.abs(values).max()
    assert 0.99 * bound < largest <= np.float32(bound)


@pytest.mark.parametrize(
    ("initializer", "mean", "deviation"),
    [(RandomNormal(seed=1), 0, 0.05), (RandomNormal(2.0, 0.5, seed=1), 2, 0.5),
     (VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=1), 0, math.sqrt(2 / INPUTS))],
    ids=repr,
)  # fmt: skip
def test_normal_values_have_tails(initializer: Initializer, mean: float, deviation: float) -> None:
    standard = (initializer((INPUTS, UNITS)) - mean) / deviation
    assert abs(standard.mean()) < 0.0104
    assert standard.std() == pytest.approx(1, rel=0.008)
    assert np.mean(np.abs(standard) > 2) == pytest.approx(0.0455, rel=0.05)


def test_a_uniform_distribution_is_flat() -> None:
    values = GlorotUniform(seed=2)((INPUTS, UNITS))
    counts, _ = np.histogram(values, bins=10)
    assert counts == pytest.approx(np.full(10, 15_000), rel=0.03)


def test_the_fans_of_a_vector_are_its_length() -> None:
    assert GlorotUniform(seed=1)((100_000,)).std() == pytest.approx(math.sqrt(1 / 100_000), rel=0.01)


def test_constants_are_constant() -> None:
    np.testing.assert_array_equal(Zeros()((2, 3)), np.zeros((2, 3), np.float32), strict=True)
    np.testing.assert_array_equal(Ones()((3,)), np.ones(3, np.float32), strict=True)
    np.testing.assert_array_equal(Constant(0.25)((2,)), np.full(2, 0.25, np.float32), strict=True)
    np.testing.assert_array_equal(Constant([[1, 2]])((1, 2)), np.array([[1, 2]], np.float32), strict=True)


def test_an_initialiser_with_a_seed_repeats_itself_and_one_without_does_not() -> None:
    fixed, free = HeNormal(seed=3), HeNormal()
    np.testing.assert_array_equal(fixed((5, 5)), fixed((5, 5)))
    assert not np.array_equal(free((5, 5)), free((5, 5)))


def test_a_models_seed_gives_each_layer_others_and_the_same_again() -> None:
    def kernels(seed: int) -> list[np.ndarray]:
        layers = [Dense(4, kernel_initializer="he_normal"), Dense(4), Dense(4)]
        return [layer.get_weights()[0] for layer in Sequential([Input((4,)), *layers], seed=seed).layers]

    first, again, other = kernels(1), kernels(1), kernels(2)
    np.testing.assert_array_equal(first, again)
    assert len({kernel.tobytes() for kernel in (*first, *other)}) == 6


def test_one_initialiser_without_a_seed_may_serve_several_layers() -> None:
    shared = GlorotUniform()
    layers = [Dense(4, kernel_initializer=shared), Dense(4, kernel_initializer=shared)]
    Sequential([Input((4,)), *layers], seed=1)
    assert not np.array_equal(layers[0].kernel, layers[1].kernel)


@pytest.mark.parametrize("name", ["glorot_uniform", "GlorotUniform"])
def test_names_are_those_of_keras(name: str) -> None:
    assert initializer_of(name, "kernel_initializer") == GlorotUniform()


@pytest.mark.parametrize(
    ("name", "expected"),
    [("uniform", RandomUniform()), ("normal", RandomNormal()), ("zeros", Zeros()), ("ones", Ones()),
     ("truncated_normal", TruncatedNormal()), ("he_uniform", HeUniform()), ("lecun_normal", LecunNormal())],
)  # fmt: skip
def test_short_names_too(name: str, expected: Initializer) -> None:
    assert initializer_of(name, "kernel_initializer") == expected


def test_a_function_of_a_shape_is_an_initialiser() -> None:
    layer = Dense(2, kernel_initializer=lambda shape: np.arange(6).reshape(shape))
    layer(Input((3,)))
    np.testing.assert_array_equal(layer.kernel, [[0, 1], [2, 3], [4, 5]])


BAD: dict[str, tuple[Callable[[], object], str]] = {
    "no such name": (
        lambda: Dense(2, kernel_initializer="glorot", name="out"),
        r"^out.kernel_initializer: got 'glorot', expected zeros, ones, constant, random_uniform, .*glorot_uniform",
    ),
    "nothing of the kind": (
        lambda: Dense(2, bias_initializer=0),  # type: ignore[arg-type]
        "^dense.bias_initializer: got int, expected an initialiser, its name, or a function of a shape",
    ),
    "no such mode": (lambda: VarianceScaling(mode="fan"), "VarianceScaling.mode: got 'fan', expected fan_in, fan_out"),
    "no such distribution": (lambda: VarianceScaling(distribution="flat"), "distribution: got 'flat', expected unif"),
    "a scale below 0": (lambda: VarianceScaling(-1.0), "VarianceScaling.scale: got -1.0, expected a number above 0"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD.keys())
def test_what_is_no_initialiser_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidArgumentError, match=message):
        make()


def test_a_constant_of_another_shape_names_the_layer() -> None:
    layer = Dense(2, kernel_initializer=Constant([[1, 2, 3]]), name="out")
    with pytest.raises(InvalidModelError, match=r"^out.kernel: shape: got \[1, 3\], expected \[3, 2\]"):
        Sequential([Input((3,)), layer], seed=1)
