"""How far arrays are from others that should be the same, in numbers."""

import math

import numpy as np
import pytest

from numbatch.convert.difference import Difference


def difference(*minibatches: tuple[object, object]) -> Difference:
    gathered = Difference()
    for baseline, candidate in minibatches:
        gathered.add(np.array(baseline, np.float32), np.array(candidate, np.float32))
    return gathered


def test_the_numbers_are_what_they_are_called() -> None:
    got = difference(([[3, 4]], [[3, 2]]))
    assert (got.max_abs, got.max_relative, got.same_largest) == (2, 0.5, 0)
    assert got.rms == pytest.approx(math.sqrt(4 / 2))
    assert got.relative_rms == pytest.approx(2 / 5)


def test_an_ulp_is_a_step_of_float32_there() -> None:
    steps = np.array([[1, 1 + 2**-23, 2, 0, 2**-126]], np.float32)
    assert difference((steps[:, :1], steps[:, 1:2])).max_ulp == 1
    assert difference((steps[:, 2:3], steps[:, 1:2])).max_ulp == 2**22 - 0.5  # steps of 2^-22 from 2 on
    assert difference((steps[:, 3:4], steps[:, 4:])).max_ulp == 2**23  # from 0 to the first normal number
    got = difference(([[1, 1000]], [[1 + 2**-23, 1000]]))
    assert (got.max_ulp, got.max_ulp_of_largest) == (1, 2**-9)


def test_minibatches_add_up_to_the_whole() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 30, 5)).astype(np.float32)
    whole, parts = difference((a, b)), difference((a[:7], b[:7]), (a[7:], b[7:]))
    assert (parts.max_abs, parts.max_relative, parts.same_largest) == (
        whole.max_abs,
        whole.max_relative,
        whole.same_largest,
    )
    assert parts.rms == pytest.approx(whole.rms)
    assert parts.relative_rms == pytest.approx(whole.relative_rms)


def test_equal_arrays_differ_by_nothing_whatever_is_in_them() -> None:
    values = [[0, math.inf, -math.inf, math.nan]]
    got = difference((values, values))
    assert (got.max_abs, got.rms, got.relative_rms, got.max_relative, got.same_largest) == (0, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("baseline", "candidate"), [(math.nan, 1), (1, math.nan), (math.inf, 1), (math.inf, -math.inf)]
)
def test_one_that_is_not_finite_is_infinitely_far_from_another(baseline: float, candidate: float) -> None:
    got = difference(([[baseline]], [[candidate]]))
    assert (got.max_abs, got.rms, got.max_relative) == (math.inf, math.inf, math.inf)
    assert (got.max_ulp, got.max_ulp_of_largest, got.not_finite_alone) == (math.inf, math.inf, 1)


def test_what_is_relative_to_nothing_is_left_out() -> None:
    got = difference(([[0, 0]], [[0, 1]]))
    assert (got.max_abs, got.max_relative, got.relative_rms) == (1, 0, None)
