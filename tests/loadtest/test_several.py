"""Several servers, and several models of a server."""

from pathlib import Path
from typing import Any

import pytest

from numbatch.client import NotFoundError
from numbatch.loadtest import Results, Workload, run
from numbatch.loadtest.results import Outcomes
from numbatch.v1.inference_pb2 import InferRequest
from support.fake_server import INFER, FakeServer
from support.server import RunningServer, running_server
from support.tiny import tiny_model

SHORT: dict[str, Any] = {"messages": 5, "duration_s": None, "warmup_s": 0.0, "metrics": ""}


def load_of(*servers: FakeServer | RunningServer, **known: Any) -> Results:
    return run(Workload(**{**SHORT, **known}), server=[server.address for server in servers])


@pytest.mark.parametrize("known", [{"concurrency": [4]}, {"rates": [1000.0]}], ids=["closed", "open"])
def test_requests_are_spread_evenly_over_addresses(known: dict[str, Any]) -> None:
    with FakeServer() as first, FakeServer() as second:
        results = load_of(first, second, model="double", count=200, connections=2, **known)
        asked = [server.calls.count(INFER) for server in (first, second)]
    assert results.steps[0].outcomes == Outcomes(ok=200)
    assert results.server.address == f"{first.address},{second.address}"
    assert sum(asked) == 205
    assert min(asked) >= 80


def test_a_server_that_answers_wrongly_is_found_among_others(tmp_path: Path) -> None:
    """Both serve "tiny/1", with other weights: what one of them answers, the other one does not."""
    with running_server([tiny_model()]) as first, running_server([tiny_model(factor=3.0)]) as second:
        results = load_of(first, second, model="tiny", count=100, mismatch_folder=tmp_path)
    assert results.verdict == "mismatch"
    assert results.steps[0].outcomes.mismatch >= 20


def test_a_server_that_goes_away_costs_its_requests_alone() -> None:
    with FakeServer() as first, FakeServer() as second:
        told = iter([second])

        def stop(_: object) -> None:
            for server in told:
                server.stop()

        workload = Workload(model="double", rates=[400.0], **{**SHORT, "duration_s": 1.5})
        results = run(workload, server=[first.address, second.address], on_progress=stop)
    [step] = results.steps
    assert step.outcomes.ok > 0.8 * step.sent
    assert step.outcomes.mismatch == 0


def test_models_of_a_mix_are_asked_and_verified_by_their_weights() -> None:
    with running_server([tiny_model("small"), tiny_model("large", factor=3.0)]) as server:
        results = load_of(server, model="small=3,large=1", count=400, concurrency=[4], seed=3)
    [step] = results.steps
    assert (results.server.model, results.server.version) == ("small=3,large=1", None)
    assert step.outcomes == Outcomes(ok=400)


def test_each_request_of_a_mix_goes_to_its_model() -> None:
    with FakeServer() as server:
        load_of(server, model="double=3,triple=1", count=400, verify=False)
    asked = [InferRequest.FromString(request).model_name for request in server.requests if len(request) > 20]
    assert len(asked) == 400
    assert asked.count("triple") == pytest.approx(100, abs=25)


def test_a_model_of_a_mix_that_is_not_there_is_named() -> None:
    with running_server([tiny_model()]) as server, pytest.raises(NotFoundError) as missing:
        load_of(server, model="tiny=3,nobody=1", count=10)
    assert missing.value.model == "nobody"
