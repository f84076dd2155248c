"""A server with one tiny model, and a channel to it."""

from collections.abc import Iterator

import pytest

from support.raw_calls import RawCalls, raw_calls
from support.server import RunningServer, running_server
from support.tiny import tiny_model

LIMIT = 64 * 1024


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """Share a server among the tests of a file that leave it as it is."""
    with running_server([tiny_model()], max_message_bytes=LIMIT) as running:
        yield running


@pytest.fixture
def calls(server: RunningServer) -> Iterator[RawCalls]:
    """Open a channel whose own limit is above the server's."""
    with raw_calls(server.address) as calls:
        yield calls
