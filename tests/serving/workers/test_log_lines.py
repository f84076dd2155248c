"""The lines of a worker's log."""

import logging
from collections.abc import Iterator

import pytest

from numbatch.serving.logs import number_log_lines

log = logging.getLogger("some.part")


@pytest.fixture(autouse=True)
def the_third_worker() -> Iterator[None]:
    before = logging.getLogRecordFactory()
    number_log_lines(3)
    yield
    logging.setLogRecordFactory(before)


def test_every_line_says_which_worker_wrote_it_however_it_was_written(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("loaded model=%(model)s", {"model": "digits"})
    log.warning("loaded model=%s version=%d", "digits", 2)
    log.warning("100% of it, %s and %d")
    log.warning(ValueError("no text"))
    assert caplog.messages == [
        "worker=3 loaded model=digits",
        "worker=3 loaded model=digits version=2",
        "worker=3 100% of it, %s and %d",
        "worker=3 no text",
    ]


def test_a_line_with_named_fields_has_it_as_a_field(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("loaded model=%(model)s", {"model": "digits"})
    assert caplog.records[0].args == {"worker": 3, "model": "digits"}
