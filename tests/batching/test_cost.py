"""How long batches are foretold to take."""

import pytest

from numbatch.batching.cost import Cost


def learned(*batches: tuple[int, float]) -> Cost:
    cost = Cost()
    for rows, seconds in batches:
        cost.learn(rows, seconds)
    return cost


def test_nothing_is_foretold_before_a_batch_ran() -> None:
    assert Cost().of(100, 10) == 0.0


def test_batches_of_one_size_foretell_in_proportion() -> None:
    assert learned(*[(10, 1.0)] * 50).of(25, 1000) == pytest.approx(2.5)


def test_batches_of_several_sizes_tell_the_overhead_from_the_rows() -> None:
    cost = learned(*[(1, 1.1), (10, 2.0), (100, 11.0)] * 20)  # 1 s, and 0.1 s a row
    assert cost.of(50, 1000) == pytest.approx(6.0)
    assert cost.of(50, 10) == pytest.approx(10.0)  # five batches
    assert cost.of(0, 10) == 0.0


def test_what_is_foretold_follows_what_happens() -> None:
    cost = learned(*[(10, 1.0)] * 100, *[(10, 5.0)] * 100)
    assert cost.of(10, 10) == pytest.approx(5.0, rel=0.01)


def test_larger_batches_that_took_less_foretell_no_negative_time() -> None:
    cost = learned((1, 5.0), (100, 1.0), (1, 5.0), (100, 1.0))
    assert cost.of(1, 10) > 0
    assert cost.of(1000, 10) >= cost.of(1, 10)
