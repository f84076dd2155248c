"""A server with models whose outputs one can tell by looking."""

from collections.abc import Iterator

import numpy as np
import pytest

from numbatch.wire.models import dense, flatten, sequential
from support.server import running_server
from support.towers import tower

# x -> once: x -> twice: 2 x, the output
DOUBLE = sequential(
    "double", [2], [dense(2, name="once", kernel=np.eye(2)), dense(2, name="twice", kernel=2 * np.eye(2))]
)
# a 2 x 2 image -> the sum of its pixels
SUM = sequential("sum", [2, 2], [flatten(), dense(1, name="sum", kernel=np.ones((4, 1)))])


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server with the models `double`, `sum` and `tower`."""
    with running_server([DOUBLE, SUM, tower()]) as running:
        yield running.address
