"""Steps of load tests, of which a test says what matters to it."""

from typing import Any

from numbatch.loadtest.results import Distribution, GeneratorLoad, Outcomes, Step


def step(**known: Any) -> Step:
    """Return a step of an open loop in which all went well, but for what is given."""
    usual: dict[str, Any] = {
        "name": "500/s",
        "scenario": "open",
        "rate": 500.0,
        "concurrency": None,
        "window": None,
        "rows_per_message": 1,
        "repeat": 0,
        "warmup_s": 1.0,
        "duration_s": 2.0,
        "sent": 1000,
        "outcomes": Outcomes(ok=1000),
        "requests_per_s": 500.0,
        "rows_per_s": 500.0,
        "latency_us": Distribution(),
        "service_us": Distribution(),
        "send_lag_us": Distribution(),
        "histogram": [],
        "series": [],
        "generator": GeneratorLoad(processes=1, cpu_share=[0.5], us_per_request=100.0),
    }
    return Step(**usual | known)
