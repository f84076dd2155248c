"""Two scrapes become a view: rates, percentiles, models, by hand-made text whose figures one can check."""

import io
import math
from typing import Any

import pytest
from rich.console import Console

from numbatch.cli.top_scrape import Scrape, increase, parse, quantile
from numbatch.cli.top_screen import as_line, as_screen
from numbatch.cli.top_view import ModelView, Spread, View, view

# What a server says at one moment; the figures of two moments are below.
SCRAPE = """
numbatch_build_info{{version="1.2.3",python="3.11.7"}} 1.0
numbatch_ready 1.0
numbatch_requests_total{{method="Infer",model="a",version="1",reason="OK"}} {requests}
numbatch_requests_total{{method="Infer",model="a",version="1",reason="SERVER_OVERLOADED"}} {refused}
numbatch_rows_total{{model="a",version="1"}} {rows}
numbatch_request_duration_seconds_bucket{{model="a",version="1",le="0.001"}} {quick}
numbatch_request_duration_seconds_bucket{{model="a",version="1",le="0.002"}} {requests}
numbatch_request_duration_seconds_bucket{{model="a",version="1",le="+Inf"}} {requests}
numbatch_batch_rows_sum{{model="a"}} {rows}
numbatch_batch_rows_count{{model="a"}} {batches}
numbatch_refusals_total{{model="a",limit="max_queued_rows"}} {refused}
numbatch_model_version_state{{model="a",version="1",state="ready"}} 1.0
numbatch_model_version_state{{model="a",version="1",state="failed"}} 0.0
numbatch_model_version_state{{model="b",version="3",state="ready"}} 0.0
numbatch_model_version_state{{model="b",version="3",state="failed"}} 1.0
numbatch_model_default_version{{model="a"}} 1.0
numbatch_model_default_version{{model="b"}} 0.0
numbatch_model_weights_bytes{{model="a",version="1"}} 2048.0
process_cpu_seconds_total{{pid="7"}} {cpu_7_s}
process_cpu_seconds_total{{pid="8"}} {cpu_8_s}
process_resident_memory_bytes{{pid="7"}} 1048576.0
process_resident_memory_bytes{{pid="8"}} 1048576.0
numbatch_in_flight_requests{{model="a"}} {in_flight}
"""

BEFORE = SCRAPE.format(
    requests=100.0, refused=7.0, rows=400.0, quick=50.0, batches=50.0, cpu_7_s=10.0, cpu_8_s=20.0, in_flight=1.0
)

# Two seconds later: 40 requests of 200 rows in 10 batches, 6 refused; 20 of them up to 1 ms, 20 up to 2 ms.
AFTER = (
    SCRAPE.format(
        requests=140.0, refused=13.0, rows=600.0, quick=70.0, batches=60.0, cpu_7_s=11.0, cpu_8_s=20.5, in_flight=3.0
    )
    + """
numbatch_requests_total{method="Infer",model="(unknown)",version="(unknown)",reason="MODEL_NOT_FOUND"} 2.0
"""
)

NONE = Spread(None, None)
P99: Any = pytest.approx(0.00198)


def test_a_view_is_what_happened_between_two_scrapes() -> None:
    a = ModelView(
        model="a",
        version="1",
        state="ready",
        is_default=True,
        requests_per_s=23,
        failures_per_s=3,
        rows_per_s=100,
        latency_s=Spread(0.001, P99),
        queue_s=NONE,
        batch_rows=20,
        weights_bytes=2048,
    )
    b = ModelView("b", "3", "failed", False, 0, 0, 0, NONE, NONE, None, 0)
    unknown = ModelView("(unknown)", "(unknown)", "", False, 1, 1, 0, NONE, NONE, None, 0)
    assert view(parse(BEFORE, 50.0), parse(AFTER, 52.0)) == View(
        server_version="1.2.3",
        ready=True,
        interval_s=2,
        requests_per_s=24,
        failures_per_s=4,
        rows_per_s=100,
        latency_s=Spread(0.001, P99),
        queue_s=NONE,
        loop_lag_s=NONE,
        batch_rows=20,
        batch_requests=None,
        in_flight=3,
        queued=0,
        open_streams=0,
        connections=0,
        cpus=0.75,
        memory_bytes=2**21,
        failures={"SERVER_OVERLOADED": 3, "MODEL_NOT_FOUND": 1},
        refusals={"max_queued_rows": 3},
        models=(a, unknown, b),
    )


def test_a_server_that_began_anew_has_no_negative_rates() -> None:
    seen = view(parse(AFTER, 50.0), parse(BEFORE, 52.0))
    assert (seen.requests_per_s, seen.rows_per_s, seen.cpus) == (53.5, 200, 15)


def test_a_series_that_is_new_grew_from_nothing() -> None:
    before = Scrape(0, {"c": {(("m", "a"),): 5.0}})
    after = Scrape(1, {"c": {(("m", "a"),): 7.0, (("m", "b"),): 3.0}})
    assert increase(before, after, "c") == {(("m", "a"),): 2.0, (("m", "b"),): 3.0}
    assert increase(before, after, "nothing") == {}


@pytest.mark.parametrize(
    ("q", "buckets", "expected"),
    [
        # As histogram_quantile has it: linear inside the bucket that the rank falls into.
        (0.5, [(1, 10), (2, 20), (math.inf, 20)], 1.0),
        (0.75, [(1, 10), (2, 20), (math.inf, 20)], 1.5),
        (0.25, [(1, 10), (2, 20), (math.inf, 20)], 0.5),  # the first begins at 0
        (0.99, [(math.inf, 20), (2, 10), (1, 10)], 2.0),  # beyond the last bound: the last bound; any order
        (0.5, [(1, 0), (2, 0), (4, 8), (math.inf, 8)], 3.0),
        (1.0, [(1, 10), (2, 10), (math.inf, 10)], 1.0),
        (0.5, [(1, 0), (math.inf, 0)], None),
        (0.5, [], None),
    ],
)
def test_quantiles_are_those_of_prometheus(
    q: float, buckets: list[tuple[float, float]], expected: float | None
) -> None:
    assert quantile(q, buckets) == expected


@pytest.mark.parametrize("text", ["up 1\n", "", "<html>no metrics</html>"])
def test_what_is_no_scrape_of_numbatch_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse(text, 0)


def test_a_line_has_its_units() -> None:
    assert as_line(view(parse(BEFORE, 50.0), parse(AFTER, 52.0))) == (
        "24.0 requests/s  100 rows/s  latency p50 1 ms p99 1.98 ms  queue p50 - p99 -  batch 20.0 rows  in flight 3  "
        "queued 0  failed 4.0/s  cpu 0.75  memory 2.0 MiB"
    )


def test_a_screen_of_80_columns_loses_nothing() -> None:
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(as_screen(view(parse(BEFORE, 50.0), parse(AFTER, 52.0)), "127.0.0.1:8002"))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert [line for line in lines if line] == [
        "numbatch 1.2.3 on 127.0.0.1:8002: ready",
        "requests 24.0/s, failed 4.0/s rows 100/s",
        "latency p50 1 ms p99 1.98 ms queue p50 - p99 -",
        "in flight 3, queued 0 batch 20.0 rows of - requests",
        "connections 0, open streams 0 event loop late p99 -",
        "cpu 0.75 processors memory 2.0 MiB",
        "refused at max_queued_rows 3.0/s",
        "failed for SERVER_OVERLOADED 3.0/s, MODEL_NOT_FOUND 1.0/s",
        "model/version requests failed rows queue rows in",
        "* the default state per s per s per s p50 p99 p99 a batch",
        "a/1* ready 23.0 3.0 100 1 ms 1.98 ms - 20.0",
        "(unknown) - 1.0 1.0 0 - - - -",
        "b/3 failed 0 0 0 - - - -",
    ]
