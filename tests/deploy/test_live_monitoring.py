"""Prometheus itself looks at a server that is used and misused: every panel of the dashboard has something to show."""

import contextlib
import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from numbatch.client import Client
from numbatch.wire.errors import NumbatchError
from support.deploy import DEPLOY, alerts, queries
from support.processes import serving_with_http
from support.project import ROOT
from support.prometheus import MISSING, PROMETHEUS, prometheus

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason=MISSING)

VARIABLES = {"$__rate_interval": "4s", "$job": ".*", "$instance": ".*", "$model": ".*"}
WITHIN_S = 40.0


@contextlib.contextmanager
def used_and_misused(address: str, callers: int = 4) -> Iterator[None]:
    """While the context lasts, callers ask for what there is, for what there is not, and for more than is allowed."""
    over = threading.Event()
    rows_of_images = np.full((2000, 64), 0.5, np.float32)

    def call() -> None:
        with Client(address) as client:
            while not over.is_set():
                for model, rows in (
                    ("digits", rows_of_images),
                    ("digits", rows_of_images[:, 1:]),
                    ("nothing", [[1.0]]),
                ):
                    with contextlib.suppress(NumbatchError):
                        client.infer(model, rows)

    with ThreadPoolExecutor(callers) as threads:
        running = [threads.submit(call) for _ in range(callers)]
        try:
            yield
        finally:
            over.set()
        for caller in running:
            caller.result()


def test_every_query_of_the_dashboard_returns_data_and_no_alert_fires(tmp_path: Path) -> None:
    asked = {}
    for where, query in queries().items():
        for variable, value in VARIABLES.items():
            query = query.replace(variable, value)
        asked[where] = query
    config = DEPLOY / "prometheus" / "prometheus.yml"
    with serving_with_http(ROOT / "models", max_in_flight=1) as (process, http):
        with prometheus(config, [http], tmp_path) as server, used_and_misused(process.address):
            until = time.monotonic() + WITHIN_S
            while asked and time.monotonic() < until:
                for where, query in list(asked.items()):
                    if any(math.isfinite(series["value"]) for series in server.query(query)):
                        del asked[where]
            assert asked == {}
            assert server.rules() == [rule["alert"] for rule in alerts()]
            firing = server.query('ALERTS{alertstate="firing"}')
            assert firing == []
