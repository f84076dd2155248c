"""What all tests share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

# The same examples each time, and no verdict from a clock: a failure is the code's, never the machine's.
settings.register_profile("numbatch", derandomize=True, deadline=None, database=None)
settings.load_profile("numbatch")


@pytest.fixture
def number_of_threads_kept() -> Iterator[None]:
    """For tests that set the number of compute threads, which is that of the whole process."""
    from numbatch.engine import compute_threads, set_compute_threads  # here: most tests need no compiler

    before = compute_threads()
    yield
    set_compute_threads(before)


@pytest.fixture(autouse=True, scope="session")
def no_server_of_ones_own() -> Iterator[None]:
    """Whoever runs the tests may have a server, and certificates and tokens for it."""
    names = ["SERVER", "HTTP", "TLS", "ROOT_CERTIFICATES", "CERTIFICATE", "PRIVATE_KEY", "TOKEN"]
    with pytest.MonkeyPatch.context() as environment:
        for name in [*names, "INFERENCE_TOKENS", "CONTROL_TOKENS"]:
            environment.delenv(f"NUMBATCH_{name}", raising=False)
        yield
