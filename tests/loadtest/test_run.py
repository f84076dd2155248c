"""Whole load tests, with generator processes, of a server whose answers a test decides."""

import itertools
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from numbatch.client import NotFoundError, Tls, UnavailableError
from numbatch.loadtest import Progress, Results, Workload, WorkloadError, run
from numbatch.loadtest.results import Outcomes
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from support.certificates import Authority
from support.command import NO_SERVER
from support.fake_server import (
    GET_MODEL,
    INFER,
    STREAM_INFER,
    FakeServer,
    answer_streamed,
    fail,
    infer,
    refuse_streamed,
    silence,
)
from support.processes import serving
from support.server import write_model
from support.tiny import tiny_model

ROWS = {"x": np.arange(20, dtype=np.float32).reshape(10, 2)}
TWICE = {"twice": ROWS["x"] * 2}


def load_of(server: FakeServer, **known: Any) -> Results:
    """Run a load of 40 requests without a warm-up, of ten messages, but for what is given."""
    usual = {"model": "double", "messages": 10, "duration_s": None, "count": 40, "warmup_s": 0.0, "metrics": ""}
    return run(Workload(**{**usual, **known}), server=server.address)


def outcomes(results: Results) -> Outcomes:
    [step] = results.steps
    return step.outcomes


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"concurrency": [3], "processes": 2},
        {"rates": [2000.0], "duration_s": 60.0, "processes": 2},
        {"scenario": "stream", "concurrency": [2], "window": 4},
        {"schedule": [5.0, 5.0, 5.001] * 14, "speed": 2.0},
        {"concurrency": [2], "connections": 2, "rows_per_message": 3},
    ],
    ids=["single", "closed", "open", "stream", "replay", "connections"],
)
def test_every_way_of_sending_counts_every_request_once(known: dict[str, Any]) -> None:
    with FakeServer() as server:
        results = load_of(server, **known)
    [step] = results.steps
    assert (step.outcomes, step.sent, step.latency_us.count) == (Outcomes(ok=40), 40, 40)
    assert sum(count for _, count in step.histogram) == 40
    assert sum(point.ok for point in step.series) == 40
    # Asked once more each at the start: the answers that are right.
    unary = 10 if "scenario" in known else 50
    assert server.calls.count(INFER) == unary


def test_offline_works_through_all_rows_once(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", ROWS["x"])
    with FakeServer() as server:
        results = load_of(
            server, scenario="offline", data=tmp_path / "x.npy", rows_per_message=4, count=None, verify=False
        )
    [step] = results.steps
    assert step.outcomes == Outcomes(ok=3)
    assert step.rows_per_s * step.duration_s == pytest.approx(10.0)


def test_wrong_answers_fail_the_run_and_are_saved_with_their_inputs(tmp_path: Path) -> None:
    numbers = itertools.count()

    def sometimes_wrong(request: bytes, context: Any) -> bytes:
        if next(numbers) != 25:  # the first ten are recorded
            return infer(request, context)
        message, _ = INFER_REQUEST.decode(request)
        answer = {"twice": np.array([[1.0, 2.0]], np.float32)}
        response = type(INFER_RESPONSE.message_type())(model_name=message.model_name, model_version=1)
        return INFER_RESPONSE.encode(response, answer.items())

    with FakeServer({INFER: sometimes_wrong}) as server:
        results = load_of(server, mismatch_folder=tmp_path / "wrong")
    assert (results.verdict, results.reason) == ("mismatch", "1 wrong answers")
    assert outcomes(results) == Outcomes(ok=39, mismatch=1)
    [mismatch] = results.mismatches
    assert (mismatch.model, mismatch.message) == ("double/1", 5)
    with np.load(mismatch.file, allow_pickle=False) as saved:
        assert list(saved) == ["input.x", "expected.twice", "got.twice"]
        assert np.array_equal(saved["expected.twice"], 2 * saved["input.x"])
        assert saved["got.twice"].tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("scenario", ["single", "stream"])
def test_answers_are_compared_with_those_given(scenario: str, tmp_path: Path) -> None:
    wrong = TWICE["twice"].copy()
    wrong[3, 0] += 1
    with FakeServer() as server:
        right = load_of(server, scenario=scenario, data=ROWS, expect=TWICE)
        results = load_of(server, scenario=scenario, data=ROWS, expect={"twice": wrong}, mismatch_folder=tmp_path)
    assert outcomes(right) == Outcomes(ok=40)
    assert outcomes(results) == Outcomes(ok=36, mismatch=4)
    assert "1 of 2 numbers differ; twice[0, 0] is 12.0 instead of 13.0" in results.mismatches[0].detail


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        (fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "full"), Outcomes(refused=4)),
        (fail(grpc.StatusCode.UNAVAILABLE, "gone"), Outcomes(unavailable=4)),
        (fail(grpc.StatusCode.INTERNAL, "oh"), Outcomes(failed=4)),
        (silence, Outcomes(deadline=4)),
    ],
    ids=["refused", "unavailable", "failed", "deadline"],
)
def test_errors_are_counted_apart(method: Any, expected: Outcomes) -> None:
    with FakeServer({INFER: method}) as server:
        results = load_of(server, count=4, verify=False, timeout_s=0.1, rates=[100.0], duration_s=60.0)
    [step] = results.steps
    assert (step.outcomes, step.latency_us.count, step.not_ok_us.count) == (expected, 0, 4)
    assert step.refused_us.count == expected.refused
    assert sum(step.errors.values()) == 4
    assert results.verdict == "assertion"


def test_errors_on_a_stream_are_those_of_their_requests() -> None:
    def every_other_one(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for number, request in enumerate(requests):
            full = error(Reason.SERVER_OVERLOADED)
            yield refuse_streamed(request, full) if number % 2 else answer_streamed(request)

    with FakeServer({STREAM_INFER: every_other_one}) as server:
        results = load_of(server, scenario="stream")
    assert outcomes(results) == Outcomes(ok=20, refused=20)


def test_a_stream_that_breaks_is_followed_by_another() -> None:
    def three_each(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield from map(answer_streamed, itertools.islice(requests, 3))
        context.abort(grpc.StatusCode.INTERNAL, "enough")

    with FakeServer({STREAM_INFER: three_each}) as server:
        results = load_of(server, scenario="stream", window=2, count=12)
    found = outcomes(results)
    assert (found.total, found.ok) == (12, found.total - found.failed)
    assert found.ok >= 6
    assert found.failed >= 2


def test_a_silent_stream_is_given_up() -> None:
    def nothing(requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            silence(request, context)
            return
        yield b""

    with FakeServer({STREAM_INFER: nothing}) as server:
        results = load_of(server, scenario="stream", window=2, count=4, timeout_s=0.2)
    assert outcomes(results) == Outcomes(deadline=4)


def test_conditions_and_progress_are_told() -> None:
    told: list[Progress] = []
    with FakeServer() as server:
        workload = Workload(
            model="double",
            concurrency=[1, 2],
            duration_s=0.3,
            warmup_s=0.1,
            metrics="",
            assertions=["errors==0", "p50<1us"],
        )
        results = run(workload, server=server.address, on_progress=told.append, command=["numbatch", "loadtest"])
    assert (results.verdict, results.reason) == ("assertion", "does not hold: p50<1us")
    assert [(one.text, one.passed) for one in results.assertions] == [("errors==0", True), ("p50<1us", False)]
    assert [one.finished for one in told if one.finished] == results.steps
    assert {(one.step, one.number, one.of) for one in told} == {("concurrency 1", 1, 2), ("concurrency 2", 2, 2)}
    assert Results.from_json(results.to_json()) == results


def test_a_search_runs_until_it_knows() -> None:
    with FakeServer() as server:
        workload = Workload(
            model="double",
            find_max=True,
            objective=["requests_per_s<150"],  # as if more were too much
            arrivals="uniform",
            start_rate=100.0,
            precision=1.0,
            duration_s=0.2,
            warmup_s=0.0,
            metrics="",
        )
        results = run(workload, server=server.address)
    assert results.search is not None
    assert results.search.max_rate == 100.0
    trials = [(one.rate, one.held, one.phase) for one in results.search.trials]
    # What failed while this machine was busy with other things was tried again.
    assert trials[0] == (100.0, True, "ramp")
    assert set(trials[1:-3]) == {(200.0, False, "ramp")}
    assert trials[-3:] == [(100.0, True, "confirm")] * 3
    assert len(results.steps) == len(trials)


def test_tls_and_tokens_reach_the_generators() -> None:
    ours = Authority()
    with FakeServer(credentials=ours.server_credentials("127.0.0.1")) as server:
        workload = Workload(model="double", duration_s=None, count=5, warmup_s=0.0, messages=2, metrics="")
        results = run(workload, server=server.address, tls=Tls(ours.root), token="t0ken")
    assert outcomes(results) == Outcomes(ok=5)
    assert {metadata.get("authorization") for metadata in server.metadata} == {"Bearer t0ken"}


def test_no_server_and_no_model_are_the_clients_errors() -> None:
    with pytest.raises(UnavailableError):
        run(Workload(model="double"), server=NO_SERVER)
    with (
        FakeServer({GET_MODEL: fail(grpc.StatusCode.NOT_FOUND, "")}) as server,
        pytest.raises(NotFoundError),
    ):
        run(Workload(model="nobody"), server=server.address)


def test_data_that_do_not_fit_are_refused() -> None:
    with FakeServer() as server, pytest.raises(WorkloadError, match=r"got shape \[1, 3\], expected \[N, 2\]"):
        load_of(server, data={"x": [[1.0, 2.0, 3.0]]})


def test_a_stopped_server_shows_in_the_latencies(tmp_path: Path) -> None:
    """The self-test for coordinated omission: stopped for S seconds, a server delays S^2/2 times the rate, in sum."""
    rate, stall_s, begin_s = 200.0, 0.75, 0.5
    write_model(tmp_path, tiny_model())
    with serving(tmp_path) as server:
        stops: list[float] = []

        def stop(progress: Progress) -> None:
            # Progress is told by the generators, whatever the server does.
            if not stops and progress.elapsed_s >= begin_s:
                server.popen.send_signal(signal.SIGSTOP)
                stops.append(progress.elapsed_s)
            elif len(stops) == 1 and progress.elapsed_s >= stops[0] + stall_s:
                server.popen.send_signal(signal.SIGCONT)
                stops.append(progress.elapsed_s)

        workload = Workload(
            model="tiny", rates=[rate], arrivals="uniform", duration_s=2.5, warmup_s=0.25, metrics="", messages=8
        )
        results = run(workload, server=server.address, on_progress=stop)
    [step] = results.steps
    latency = step.latency_us
    assert (step.sent, step.outcomes) == (500, Outcomes(ok=500))
    # Nothing is left out: the slowest waited nearly as long as the server did, and one in a hundred not much less.
    assert latency.max / 1e6 > 0.95 * stall_s
    assert latency.percentiles["p99"] / 1e6 > 0.9 * stall_s
    assert latency.mean * latency.count / 1e6 > 0.9 * stall_s**2 / 2 * rate
