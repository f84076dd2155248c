"""Ctrl-C ends a load test early, with what was found until then."""

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from numbatch.loadtest import Interrupted, Progress, Results, Workload, run
from numbatch.loadtest.results import Outcomes
from support.fake_server import INFER, STREAM_INFER, FakeServer, answer_streamed, infer, silence


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def interrupted_at(number: int, then: Callable[[bytes, Any], bytes] = infer) -> Callable[[bytes, Any], bytes]:
    """Return a method during whose so many-th call, and no other, somebody presses Ctrl-C."""
    numbers = itertools.count(1)

    def method(request: bytes, context: Any) -> bytes:
        call = next(numbers)
        if call == number:
            press_ctrl_c()
        return then(request, context) if call >= number else infer(request, context)

    return method


def pressing(when: Callable[[Progress], bool], times: int = 1) -> Callable[[Progress], None]:
    """Return what presses Ctrl-C when it is told that it is time."""
    left = iter(range(times))

    def on_progress(progress: Progress) -> None:
        if when(progress) and next(left, None) is not None:
            press_ctrl_c()

    return on_progress


def results_of(server: FakeServer, **known: Any) -> Results:
    usual = {"model": "double", "messages": 5, "duration_s": 60.0, "warmup_s": 0.0, "metrics": "", "processes": 2}
    with pytest.raises(Interrupted) as stopped:
        run(Workload(**{**usual, **known}), server=server.address)
    return stopped.value.results


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"concurrency": [3, 4]}, "concurrency 3"),
        ({"rates": [500.0, 600.0]}, "500/s"),
        ({"schedule": [i / 500 for i in range(5000)]}, "replay"),
    ],
    ids=["closed", "open", "replay"],
)
def test_what_was_found_is_told(known: dict[str, Any], name: str) -> None:
    with FakeServer({INFER: interrupted_at(105)}) as server:
        results = results_of(server, **known)
    [step] = results.steps
    assert (results.verdict, results.reason) == ("interrupted", f"in {name}")
    assert step.outcomes.total == step.outcomes.ok == step.sent == step.latency_us.count >= 95
    assert step.duration_s < 30
    assert Results.from_json(results.to_json()) == results


def test_streams_are_ended_as_well() -> None:
    def method(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        for number, request in enumerate(requests):
            if number == 50:
                press_ctrl_c()
            yield answer_streamed(request)

    with FakeServer({STREAM_INFER: method}) as server:
        results = results_of(server, scenario="stream")
    [step] = results.steps
    assert step.outcomes.total == step.outcomes.ok == step.sent >= 50


@pytest.mark.parametrize("known", [{"concurrency": [3]}, {"rates": [500.0]}], ids=["closed", "open"])
def test_what_is_not_answered_soon_is_forgotten(known: dict[str, Any]) -> None:
    with FakeServer({INFER: interrupted_at(20, then=silence)}) as server:
        results = results_of(server, **known)
    [step] = results.steps
    assert step.outcomes == Outcomes(ok=step.sent)
    assert step.sent >= 10


def test_steps_that_are_done_stay_and_a_warmup_is_nothing() -> None:
    press = pressing(lambda progress: progress.number == 2)

    with FakeServer() as server, pytest.raises(Interrupted) as stopped:
        workload = Workload(
            model="double", concurrency=[1, 2], count=20, duration_s=None, warmup_s=0.5, messages=5, metrics=""
        )
        run(workload, server=server.address, on_progress=press)
    results = stopped.value.results
    assert [step.name for step in results.steps] == ["concurrency 1"]
    assert results.reason == "after concurrency 1"


def test_a_search_says_what_it_tried() -> None:
    press = pressing(lambda progress: progress.number == 2 and bool(progress.points))

    # As if 150 a second were too much: the first trial fails, and the second is under way.
    workload = Workload(
        model="double",
        find_max=True,
        objective=["requests_per_s<150"],
        start_rate=400.0,
        duration_s=1.5,
        warmup_s=0.0,
        messages=5,
        metrics="",
    )
    with FakeServer() as server, pytest.raises(Interrupted) as stopped:
        run(workload, server=server.address, on_progress=press)
    search = stopped.value.results.search
    assert search is not None
    assert (search.max_rate, [trial.rate for trial in search.trials]) == (0.0, [400.0])


def test_before_anything_was_sent_it_is_a_keyboard_interrupt() -> None:
    with FakeServer({INFER: interrupted_at(3)}) as server, pytest.raises(KeyboardInterrupt) as stopped:
        run(Workload(model="double", messages=5, metrics=""), server=server.address)
    assert not isinstance(stopped.value, Interrupted)


def test_pressed_again_it_ends_at_once() -> None:
    press = pressing(lambda progress: progress.elapsed_s > 0, times=2)

    with FakeServer({INFER: silence}) as server, pytest.raises(KeyboardInterrupt) as stopped:
        workload = Workload(model="double", messages=5, metrics="", verify=False, warmup_s=0.0, timeout_s=60.0)
        run(workload, server=server.address, on_progress=press)
    assert not isinstance(stopped.value, Interrupted)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
