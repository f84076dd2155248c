"""Results as JSON and back."""

import json
from pathlib import Path

import pytest

from numbatch.loadtest.results import (
    Assertion,
    Distribution,
    Environment,
    GeneratorLoad,
    Mismatch,
    Outcomes,
    Point,
    Results,
    Search,
    ServerInfo,
    ServerSide,
    Step,
    Trial,
)

STEP = Step(
    name="500/s",
    scenario="open",
    rate=500.0,
    concurrency=None,
    window=None,
    rows_per_message=1,
    repeat=0,
    warmup_s=1.0,
    duration_s=2.0,
    sent=3,
    outcomes=Outcomes(ok=2, deadline=1),
    requests_per_s=1.0,
    rows_per_s=1.0,
    latency_us=Distribution(count=2, mean=150.0, min=100.0, max=200.0),
    service_us=Distribution(),
    send_lag_us=Distribution(),
    histogram=[(100.5, 1), (201.0, 1)],
    series=[Point(t_s=0.0, sent=2, ok=1, errors=0, p50_us=100.0, p99_us=100.0, max_us=100.0)],
    generator=GeneratorLoad(processes=1, cpu_share=[0.5], us_per_request=100.0),
    server_side=ServerSide(queue_us=1.0, compute_us=2.0, overhead_us=3.0, batch_rows=4.0),
    errors={"DEADLINE_EXCEEDED": 1},
)
RESULTS = Results(
    started="2026-01-02T03:04:05+00:00",
    command=["numbatch", "loadtest", "digits"],
    settings={"seed": 0},
    environment=Environment(python="3.12", platform="Linux", cpu="a cpu", cores=2, versions={"numpy": "2"}),
    server=ServerInfo(address="127.0.0.1:8001", model="digits", version=1),
    repeats=1,
    steps=[STEP],
    search=Search(objective="p99<10ms", max_rate=400.0, trials=[Trial(rate=400.0, held=True, value=9000.0)]),
    assertions=[Assertion(text="errors==0", value=1.0, passed=False)],
    mismatches=[Mismatch(model="digits/1", message=3, detail="1 of 10 numbers")],
    verdict="assertion",
    reason="errors==0",
)


def test_a_file_brings_back_what_was_saved(tmp_path: Path) -> None:
    RESULTS.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == RESULTS


def test_percentiles_stand_beside_the_other_numbers() -> None:
    data = RESULTS.to_json()
    assert data["schema"] == "numbatch.loadtest/1"
    assert list(data["steps"][0]["latency_us"]) == [
        *("count", "mean", "min", "max", "p50", "p90", "p95", "p99", "p99.9", "p99.99")
    ]


def test_keys_of_a_later_version_are_ignored() -> None:
    data = RESULTS.to_json()
    data["weather"] = data["steps"][0]["weather"] = data["server"]["weather"] = "fine"
    assert Results.from_json(data) == RESULTS


@pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({"schema": "numbatch.loadtest/1"})])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError, match=r"other\.json: not "):
        Results.load(tmp_path / "other.json")
