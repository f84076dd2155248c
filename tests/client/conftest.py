"""Both clients, and a server that says what a test has it say."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.both_clients import BOTH, Bench


@pytest.fixture(params=BOTH, ids=["Client", "AsyncClient"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Run the test for each client."""
    with ExitStack() as stack:
        yield Bench(request.param, stack)
