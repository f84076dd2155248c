"""The observers of a server together: all are told, and none of them harms a request."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

import pytest

from numbatch.batching.queue import QueueStatistics
from numbatch.repository.report import LoadReport
from numbatch.repository.snapshot import Snapshot
from numbatch.serving.config import ServerConfig
from numbatch.serving.observability.levels import Sources
from numbatch.serving.observability.request_log import BURST
from numbatch.serving.observability.service import Observability
from numbatch.serving.observer import BatchReport, Observer, RequestReport
from support.reports import BATCH, REQUEST, NoCalls, samples

SOURCES = Sources(Snapshot, lambda: True, NoCalls(), lambda: QueueStatistics({}, 0))


class Told(Observer):
    """Keeps what it is told, or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.reports: list[object] = []
        self._fails = fails

    def on_request(self, report: RequestReport) -> None:
        self._keep(report)

    def on_batch(self, report: BatchReport) -> None:
        self._keep(report)

    def on_load(self, report: LoadReport) -> None:
        self._keep(report)

    def _keep(self, report: object) -> None:
        self.reports.append(report)
        if self._fails:
            raise RuntimeError("a bug")


def run(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


def test_an_observer_of_ones_own_is_told_of_everything() -> None:
    async def story() -> None:
        told, load = Told(), LoadReport("digits", 1, "", 0.5)
        server = Observability(ServerConfig(), SOURCES, [told])
        server.on_request(REQUEST)
        server.on_batch(BATCH)
        server.on_load(load)
        assert told.reports == [REQUEST, BATCH, load]

    run(story())


def test_an_observer_that_fails_harms_nothing_and_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        server = Observability(ServerConfig(), SOURCES, [Told(fails=True)])
        for _ in range(3):
            server.on_request(REQUEST)
            server.on_batch(BATCH)
        text, _ = await server.scrape("")
        assert samples(text.decode())["numbatch_requests_total", ("Infer", "(unknown)", "OK", "(unknown)")] == 3

    run(story())
    assert caplog.messages == ["observing failed unexpectedly; it is not told again"]


def test_a_beat_counts_the_lag_and_tells_now_and_then_what_the_log_left_out(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "numbatch.requests")

    async def story() -> None:
        server = Observability(ServerConfig(), SOURCES)
        start = asyncio.get_running_loop().time()
        for _ in range(BURST + 5):
            server.on_request(REQUEST._replace(reason="SHAPE_MISMATCH"))
        caplog.clear()
        server.beat(0.25, start + 5)
        assert caplog.messages == []
        server.beat(0.5, start + 11)
        assert caplog.messages == ["left out lines of failed requests reason=SHAPE_MISMATCH count=5"]
        text, _ = await server.scrape("")
        assert samples(text.decode())["numbatch_event_loop_lag_seconds_sum", ()] == 0.75

    run(story())


def test_what_the_log_left_out_is_told_at_the_end_at_the_latest(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "numbatch.requests")

    async def story() -> None:
        server = Observability(ServerConfig(), SOURCES)
        for _ in range(BURST + 1):
            server.on_request(REQUEST._replace(reason="SHAPE_MISMATCH"))
        await server.stop()
        await server.stop()

    run(story())
    assert caplog.messages[-1] == "left out lines of failed requests reason=SHAPE_MISMATCH count=1"
    assert len(caplog.messages) == BURST + 1
