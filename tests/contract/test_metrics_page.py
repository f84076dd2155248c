"""The table of metrics and what a server says are the same, both ways."""

import asyncio
import re

from prometheus_client.parser import text_string_to_metric_families

from numbatch.batching.queue import ModelStatistics, QueueStatistics
from numbatch.repository.registry import Registry
from numbatch.repository.report import LoadReport
from numbatch.serving.config import ServerConfig
from numbatch.serving.observability.levels import Sources
from numbatch.serving.observability.service import Observability
from support.metrics_page import PAGE, ROW, listed_metrics
from support.reports import BATCH, REQUEST, NoCalls
from support.tiny import TINY, tiny_model

# Metric names end in the unit, or in the unit and _total.
UNIT = re.compile(r".*_(seconds|bytes)(_total)?")


async def everything_happened() -> bytes:
    """Return the metrics of a server to which everything has happened that it counts."""
    registry = Registry(None, load=lambda *_, **__: TINY)
    registry.load_from_message(tiny_model())
    queues = QueueStatistics({"tiny": ModelStatistics(1, 1, 1, 1)}, 1)
    sources = Sources(lambda: registry.snapshot, lambda: True, NoCalls(), lambda: queues, port=lambda: 8001)
    server = Observability(ServerConfig(), sources)
    server.on_request(REQUEST)
    server.on_request(REQUEST._replace(reason="SERVER_OVERLOADED", limit="max_queue_rows"))
    server.on_batch(BATCH)
    server.on_load(LoadReport("tiny", 1, "", 0.1))
    server.beat(0.0, 0.0)
    text, _ = await server.scrape("")
    return text


def test_the_page_lists_what_a_server_says() -> None:
    said = {}
    for family in text_string_to_metric_families(asyncio.run(everything_happened()).decode()):
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        said[name] = (family.type, tuple(sorted(labels)))
    assert listed_metrics() == said


def test_units_are_in_the_names() -> None:
    rows = list(ROW.finditer(PAGE))
    assert len(rows) > 30
    for row in rows:
        unit, named = row["unit"].strip(), UNIT.fullmatch(row["name"])
        assert (unit in ("seconds", "bytes")) is (named is not None), row["name"]
        assert named is None or named[1] == unit
        assert row["name"].endswith("_total") is (row["type"] == "counter")
