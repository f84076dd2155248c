"""A server with models whose outputs one can tell by looking."""

from collections.abc import Iterator

import numpy as np
import pytest

from numbatch.models import Dense, Flatten, Input, Sequential
from numbatch.models.initializers import Constant
from support.server import running_server
from support.towers import tower

# x -> once: x -> twice: 2 x, the output
ONCE, TWICE = (
    Dense(2, kernel_initializer=Constant(factor * np.eye(2)), name=name) for factor, name in ((1, "once"), (2, "twice"))
)
DOUBLE = Sequential([Input((2,)), ONCE, TWICE]).to_message("double")
# a 2 x 2 image -> the sum of its pixels
SUM = Sequential([Input((2, 2)), Flatten(), Dense(1, kernel_initializer="ones", name="sum")]).to_message("sum")


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server with the models `double`, `sum` and `tower`."""
    with running_server([DOUBLE, SUM, tower()]) as running:
        yield running.address
