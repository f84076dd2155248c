"""Requests, batches and loads become metrics, and callers cannot make series as they like."""

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from numbatch.repository.report import LoadReport
from numbatch.serving.observability.labels import VersionLabels
from numbatch.serving.observability.metrics import DURATION_BUCKETS_S, Metrics
from numbatch.serving.observability.recorder import MetricsRecorder
from numbatch.serving.observability.tally import BulkHistogram, Distribution
from support.reports import BATCH, REQUEST, Samples, samples

KNOWN = {("digits", 0), ("digits", 1), ("digits", 2)}


class Recorded:
    """A recorder and what it has recorded."""

    def __init__(self, most: int = 1000) -> None:
        self._registry = CollectorRegistry()
        labels = VersionLabels(lambda *key: key in KNOWN, most)
        self.recorder = MetricsRecorder(Metrics(self._registry), labels)

    def samples(self, *names: str) -> Samples:
        self.recorder.flush()
        return samples(generate_latest(self._registry).decode(), names)


def test_requests_are_counted_by_method_model_reason_and_version() -> None:
    recorded = Recorded()
    recorded.recorder.on_request(REQUEST)
    recorded.recorder.on_request(REQUEST)
    recorded.recorder.on_request(REQUEST._replace(method="StreamInfer", version=2))
    recorded.recorder.on_request(REQUEST._replace(reason="SHAPE_MISMATCH", version=0, response_bytes=0))
    assert recorded.samples("numbatch_requests_total") == {
        ("numbatch_requests_total", ("Infer", "digits", "OK", "1")): 2,
        ("numbatch_requests_total", ("StreamInfer", "digits", "OK", "2")): 1,
        ("numbatch_requests_total", ("Infer", "digits", "SHAPE_MISMATCH", "0")): 1,
    }
    assert recorded.samples("numbatch_rows_total", "numbatch_request_bytes_total", "numbatch_response_bytes_total") == {
        ("numbatch_rows_total", ("digits", "1")): 8,
        ("numbatch_rows_total", ("digits", "2")): 4,
        ("numbatch_rows_total", ("digits", "0")): 0,
        ("numbatch_request_bytes_total", ("digits", "1")): 2000,
        ("numbatch_request_bytes_total", ("digits", "2")): 1000,
        ("numbatch_request_bytes_total", ("digits", "0")): 1000,
        ("numbatch_response_bytes_total", ("digits", "1")): 400,
        ("numbatch_response_bytes_total", ("digits", "2")): 200,
        ("numbatch_response_bytes_total", ("digits", "0")): 0,
    }


def test_what_was_counted_is_handed_over_once() -> None:
    recorded = Recorded()
    recorded.recorder.on_request(REQUEST)
    first = recorded.samples()
    assert recorded.samples() == first


def test_a_refusal_is_counted_by_its_limit_and_its_quickness_is_not_taken_for_latency() -> None:
    recorded = Recorded()
    refused = REQUEST._replace(reason="SERVER_OVERLOADED", limit="max_queue_rows", rows=0)
    recorded.recorder.on_request(refused)
    recorded.recorder.on_request(refused)
    assert recorded.samples("numbatch_refusals_total", "numbatch_request_duration_seconds_count") == {
        ("numbatch_refusals_total", ("max_queue_rows", "digits")): 2,
        ("numbatch_request_duration_seconds_count", ("digits", "1")): 0,
    }


@pytest.mark.parametrize("reason", ["DEADLINE_EXCEEDED", "CANCELLED"])
def test_how_long_a_caller_waited_who_gave_up_counts_as_latency(reason: str) -> None:
    recorded = Recorded()
    recorded.recorder.on_request(REQUEST._replace(reason=reason, seconds=2.5))
    assert recorded.samples("numbatch_request_duration_seconds_sum", "numbatch_rows_total") == {
        ("numbatch_request_duration_seconds_sum", ("digits", "1")): 2.5,
        ("numbatch_rows_total", ("digits", "1")): 0,
    }


def test_a_batch_tells_its_size_and_how_long_it_ran() -> None:
    recorded = Recorded()
    recorded.recorder.on_batch(BATCH)
    recorded.recorder.on_batch(BATCH._replace(failed=True))
    found = recorded.samples()
    for name, total in {"duration_seconds": 0.001, "rows": 24, "requests": 6}.items():
        assert found[f"numbatch_batch_{name}_count", ("digits",)] == 2
        assert found[f"numbatch_batch_{name}_sum", ("digits",)] == total
    assert found["numbatch_batch_rows_bucket", ("8.0", "digits")] == 0
    assert found["numbatch_batch_rows_bucket", ("16.0", "digits")] == 2
    assert found["numbatch_batch_failures_total", ("digits",)] == 1


def test_how_long_a_request_waited_counts_if_it_ran() -> None:
    recorded = Recorded()
    recorded.recorder.on_request(REQUEST)
    recorded.recorder.on_request(REQUEST._replace(queue_s=0.0))
    recorded.recorder.on_request(REQUEST._replace(queue_s=0.0, compute_s=0.0, reason="SERVER_OVERLOADED"))
    found = recorded.samples("numbatch_queue_duration_seconds_count", "numbatch_queue_duration_seconds_sum")
    assert list(found.values()) == [2, 0.001]


def test_loads_are_counted_with_why_they_failed() -> None:
    recorded = Recorded()
    recorded.recorder.on_load(LoadReport("digits", 1, "", 0.25))
    recorded.recorder.on_load(LoadReport("digits", 2, "MODEL_INVALID", 0.5))
    recorded.recorder.on_load(LoadReport("no longer there", 1, "MODEL_INVALID", 0.5))
    names = "numbatch_model_loads_total", "numbatch_model_load_duration_seconds_sum"
    assert recorded.samples(*names) == {
        ("numbatch_model_loads_total", ("digits", "OK")): 1,
        ("numbatch_model_loads_total", ("digits", "MODEL_INVALID")): 1,
        ("numbatch_model_loads_total", ("(unknown)", "MODEL_INVALID")): 1,
        ("numbatch_model_load_duration_seconds_sum", ()): 1.25,
    }


def test_names_that_callers_make_up_are_one_series() -> None:
    recorded = Recorded()
    for number in range(50):
        recorded.recorder.on_request(REQUEST._replace(model=f"made up {number}", reason="MODEL_NOT_FOUND"))
        recorded.recorder.on_request(REQUEST._replace(version=1000 + number, reason="VERSION_NOT_FOUND"))
    assert recorded.samples("numbatch_requests_total") == {
        ("numbatch_requests_total", ("Infer", "(unknown)", "MODEL_NOT_FOUND", "(unknown)")): 50,
        ("numbatch_requests_total", ("Infer", "digits", "VERSION_NOT_FOUND", "(unknown)")): 50,
    }


def test_models_beyond_the_bound_are_counted_together() -> None:
    labels = VersionLabels(lambda *_: True, most=2)
    assert [labels.of_model(name) for name in "abcab"] == ["a", "b", "(other)", "a", "b"]
    assert labels.of("c", 1) == ("(other)", "(other)")


def test_versions_beyond_the_bound_are_counted_together() -> None:
    recorded = Recorded(most=1)
    for version in (1, 2, 0, 1):
        recorded.recorder.on_request(REQUEST._replace(version=version))
    assert recorded.samples("numbatch_requests_total") == {
        ("numbatch_requests_total", ("Infer", "digits", "OK", "1")): 2,
        ("numbatch_requests_total", ("Infer", "digits", "OK", "(other)")): 2,
    }


@pytest.mark.parametrize("value", [0.0, 50e-6, 51e-6, 0.0025, 29.9, 30.0, 31.0])
def test_observations_in_bulk_are_those_that_prometheus_makes_one_by_one(value: float) -> None:
    one_by_one, in_bulk = CollectorRegistry(), CollectorRegistry()
    observed = Histogram("h", "", buckets=DURATION_BUCKETS_S, registry=one_by_one)
    tallied = Distribution(BulkHistogram("h", "", buckets=DURATION_BUCKETS_S, registry=in_bulk), DURATION_BUCKETS_S)
    for _ in range(3):
        observed.observe(value)
        tallied.observe(value)
    tallied.flush()
    tallied.flush()  # nothing twice
    expected = samples(generate_latest(one_by_one).decode())
    found = samples(generate_latest(in_bulk).decode())
    expected.pop(("h_created", ()))
    found.pop(("h_created", ()))
    assert found == pytest.approx(expected)
