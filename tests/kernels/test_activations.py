"""The activations of elements against the oracle, bit for bit, and against mathematics, in units in the last place."""

from typing import Any

import numpy as np
import pytest

from numbatch.kernels import activations, reference
from numbatch.kernels.activations import Activation
from support.exact import ALPHAS, exact, ulps
from support.layers import bits, run_activation
from support.worst_inputs import WORST_INPUTS

INFINITY, NAN = np.inf, np.nan
NAMES = [activation.name.lower() for activation in Activation]


def documented() -> dict[str, list[str]]:
    """The rows of the table in the docstring of `activations`."""
    assert activations.__doc__
    rows = (line.split() for line in activations.__doc__.splitlines())
    return {row[0]: row[1:] for row in rows if row and row[0] in NAMES}


def sample() -> Any:
    """One in 4 001 of all float32: every magnitude, both signs, denormals, NaN."""
    return np.arange(0, 2**32, 4001, dtype=np.uint64).astype(np.uint32).view(np.float32).reshape(1, -1)


def few() -> Any:
    """Three numbers of each sign and exponent, denormals among them, and some hundreds where functions bend."""
    rng = np.random.default_rng(0)
    exponents, mantissas = np.arange(255), [0, int(rng.integers(2**23)), 2**23 - 1]
    patterns = [sign | e << 23 | m for sign in (0, 1 << 31) for e in exponents.tolist() for m in mantissas]
    bend = [rng.uniform(-most, most, 300) for most in (1, 6, 20, 110)]
    return np.concatenate([np.array(patterns, np.uint32).view(np.float32), *bend]).astype(np.float32)


def error(name: str, x: Any) -> float:
    """The largest error at these numbers."""
    alpha = ALPHAS.get(name, 0.0)
    got = run_activation(x.reshape(1, -1), name, alpha)[0]
    return max(ulps(float(y), exact(name, float(value), alpha)) for value, y in zip(x, got, strict=True))


def test_the_table_names_every_activation() -> None:
    assert set(documented()) == set(NAMES) == set(WORST_INPUTS)


@pytest.mark.parametrize("name", NAMES)
def test_an_activation_gives_the_bits_of_the_reference(name: str) -> None:
    x = np.concatenate([sample(), np.linspace(-20, 20, 100_001, dtype=np.float32).reshape(1, -1)], axis=1)
    alpha = ALPHAS.get(name, 0.0)
    np.testing.assert_array_equal(bits(run_activation(x, name, alpha)), bits(reference.activate(x, name, alpha)))


@pytest.mark.parametrize("name", ALPHAS)
@pytest.mark.parametrize("alpha", [0.0, -0.0, 0.3, 1.5, -2.0, 1e-42, 3e38])
def test_any_alpha_gives_the_bits_of_the_reference(name: str, alpha: float) -> None:
    x = sample()[:, ::10]
    np.testing.assert_array_equal(bits(run_activation(x, name, alpha)), bits(reference.activate(x, name, alpha)))


@pytest.mark.parametrize("name", NAMES)
def test_special_values_are_the_documented_ones(name: str) -> None:
    x = np.array([[NAN, INFINITY, -INFINITY, 0.0, -0.0, 1e-45]], np.float32)
    expected = np.array([[NAN, *documented()[name][:5]]], np.float32)
    np.testing.assert_array_equal(bits(run_activation(x, name, ALPHAS.get(name, 0.0))), bits(expected))


def test_elu_and_leaky_relu_of_infinity_are_products_with_alpha() -> None:
    x = np.array([[-INFINITY]], np.float32)
    assert run_activation(x, "elu", -3.0) == 3
    assert run_activation(x, "leaky_relu", -3.0) == INFINITY
    np.testing.assert_array_equal(bits(run_activation(x, "leaky_relu", 0.0)), bits([[NAN]]))


@pytest.mark.parametrize("name", NAMES)
def test_no_error_is_larger_than_documented(name: str) -> None:
    assert error(name, few()) <= float(documented()[name][5])


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_error_is_that_of_the_worst_input(name: str) -> None:
    worst = np.array(WORST_INPUTS[name], np.uint32).view(np.float32)
    most = float(documented()[name][5])
    assert most - 0.01 <= error(name, worst) <= most


@pytest.mark.parametrize("name", NAMES)
def test_the_place_of_an_element_does_not_matter(name: str) -> None:
    x = np.linspace(-9, 9, 64, dtype=np.float32)
    shifts = np.stack([np.roll(x, shift) for shift in range(64)])
    got = run_activation(shifts, name, 0.7)
    for shift in range(64):
        np.testing.assert_array_equal(bits(np.roll(got[shift], -shift)), bits(got[0]))
