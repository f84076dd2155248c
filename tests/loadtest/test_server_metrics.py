"""What the server's metrics say of a step, if they are of the right server."""

from pathlib import Path

import pytest

from numbatch.loadtest.server_metrics import BatchRows, Metrics, fetch, is_ours, parse, server_side
from support.processes import serving_with_http
from support.server import write_model
from support.tiny import tiny_model

TEXT = """# HELP numbatch_build_info 1
numbatch_build_info{target="a \\"b\\", c",version="0.1"} 1.0
numbatch_requests_total{method="Infer",model="double",version="1",reason="OK"} %d
numbatch_requests_total{method="Infer",model="other",version="1",reason="OK"} 1e6
numbatch_queue_duration_seconds_sum{model="double",version="1"} %g
numbatch_queue_duration_seconds_count{model="double",version="1"} %d
numbatch_batch_duration_seconds_sum{model="double"} %g
numbatch_batch_duration_seconds_count{model="double"} %d
numbatch_batch_rows_sum{model="double"} %d
numbatch_batch_rows_count{model="double"} %d
"""


def metrics(requests: int = 0, batches: int = 0) -> Metrics:
    of_batches = (batches * 2e-3, batches, 8 * batches, batches)
    return parse(TEXT % (requests, requests * 1e-3, requests, *of_batches))


def test_labels_may_hold_anything() -> None:
    assert metrics().label("numbatch_build_info", "version") == "0.1"
    assert metrics(7).total("numbatch_requests_total", model="double") == 7


def test_times_are_those_in_between() -> None:
    found = server_side(metrics(100, 50), metrics(300, 150), ["double"], service_us=5_000.0)
    assert found is not None
    times = (found.queue_us, found.compute_us, found.overhead_us)
    assert times == pytest.approx((1000.0, 2000.0, 2000.0))
    assert found.batch_rows == 8.0


def test_batches_have_a_size_in_each_second_in_which_something_was_computed() -> None:
    moments = iter([metrics(0, 0), metrics(9, 3), metrics(9, 3), metrics(20, 10)])
    batches = BatchRows(lambda: next(moments), ["double"])
    for measured_s in (0.1, 0.4, 0.9, 1.05, 1.5, 2.1, 3.0):
        batches.look(measured_s)
    assert batches.by_second == {0: 8.0, 2: 8.0}


def test_where_nothing_was_computed_there_are_none() -> None:
    assert server_side(metrics(1, 1), metrics(1, 1), ["double"], 1.0) is None


@pytest.mark.parametrize(
    ("counted", "ok", "answered", "ours"),
    [
        (1000, 1000, 1000, True),
        (1000, 990, 1000, True),  # some were refused
        (999, 1000, 1000, False),  # it cannot have answered us: another server
        (1100, 1000, 1000, False),  # it has other callers
    ],
)
def test_whose_metrics_they_are(counted: int, ok: int, answered: int, ours: bool) -> None:
    assert is_ours(metrics(50), metrics(50 + counted), ["double"], ok, answered) is ours


@pytest.mark.parametrize("text", ["<html>", "up 1\n"])
def test_what_is_not_of_a_numbatch_server_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a metric|there is no numbatch_build_info"):
        parse(text)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "bad host:1"])
def test_where_no_server_is_there_are_none(address: str) -> None:
    assert fetch(address) is None


def test_a_real_server_is_understood(tmp_path: Path) -> None:
    write_model(tmp_path, tiny_model())
    with serving_with_http(tmp_path) as (_, http):
        found = fetch(http)
    assert found is not None
    assert found.label("numbatch_build_info", "version")
