"""How long a row takes: which batches are run, and what is made of their times."""

from collections.abc import Callable

import numpy as np
import pytest

from numbatch.cli.measurement import measure
from numbatch.engine import load_model
from numbatch.models import Dense, Input, Sequential
from numbatch.wire.graph import GraphWriter
from support.towers import tower


def clock(step: float) -> Callable[[], float]:
    """A clock that is asked twice around each call, and goes on by `step` each time."""
    ticks = iter(range(10**6))
    return lambda: next(ticks) * step


@pytest.mark.parametrize(
    ("step", "rows"),
    [(1e-5, 1024), (1e-3, 64), (0.02, 2), (0.5, 1)],
)
def test_a_slow_model_is_measured_in_smaller_batches(step: float, rows: int) -> None:
    timings = measure(load_model(Sequential([Input((4,)), Dense(2)], seed=1).to_message("net")), clock(step))
    assert [timing.rows for timing in timings] == ([1, rows] if rows > 1 else [1])
    assert timings[0].seconds_per_row == pytest.approx(step)
    assert timings[-1].seconds_per_row == pytest.approx(step / rows)
    assert all(timing.calls >= 3 for timing in timings)


def test_a_batch_is_64_mib_at_most() -> None:
    graph = GraphWriter("wide")
    model = graph.model([graph.activation(graph.input("x", [2**20]), "relu")])
    timings = measure(load_model(model), clock(5e-3))
    assert [timing.rows for timing in timings] == [1, 8]  # inputs and outputs of 8 MiB a row


def test_row_numbers_are_in_their_range() -> None:
    assert [timing.rows for timing in measure(load_model(tower()), clock(1e-4))] == [1, 512]
    assert np.isfinite(measure(load_model(tower()), clock(1e-4))[1].seconds_per_row)
