"""What is asked for, checked before anything starts; and each process's part of it."""

from typing import Any

import numpy as np
import pytest

from numbatch.loadtest import Workload, WorkloadError
from numbatch.loadtest.loads import Load, loads, orders, trial
from numbatch.loadtest.workload import Asked


@pytest.mark.parametrize(
    ("known", "scenario"),
    [
        ({}, "single"),
        ({"rates": [5.0]}, "open"),
        ({"concurrency": [5]}, "closed"),
        ({"schedule": [0.0, 1.0]}, "replay"),
        ({"find_max": True, "objective": ["p99<1s"]}, "open"),
        ({"scenario": "stream", "concurrency": [2]}, "stream"),
    ],
)
def test_what_is_given_says_how_requests_are_sent(known: dict[str, Any], scenario: str) -> None:
    assert Workload(model="m", **known).scenario == scenario


@pytest.mark.parametrize(
    ("known", "problem"),
    [
        ({"model": ""}, "model: got ''"),
        ({"model": "a,a"}, "where a model comes twice"),
        ({"model": "a=x"}, "expected NAME, or several"),
        ({"model": "a/zero"}, "expected NAME or NAME/VERSION"),
        ({"model": {"a": -1.0}}, "weights of more than 0"),
        ({"scenario": "rush"}, "expected one of single, closed"),
        ({"scenario": "open"}, "an open loop needs a rate"),
        ({"scenario": "closed", "rates": [1.0]}, "rates are for an open loop"),
        ({"rates": [0.0]}, "rates: expected numbers of more than 0"),
        ({"rates": [1.0], "concurrency": [1]}, "concurrency is for closed loops and streams"),
        ({"concurrency": [0]}, "concurrency: expected numbers of more than 0"),
        ({"find_max": True}, "a search needs an objective"),
        ({"find_max": True, "objective": ["p99<1s"], "rates": [1.0]}, "a search finds the rates itself"),
        ({"objective": ["p99<1s"]}, "an objective is for a search"),
        ({"assertions": ["p98<1s"]}, "got 'p98'"),
        ({"scenario": "offline"}, "offline: expected data to work through"),
        ({"scenario": "replay"}, "a replay needs a schedule"),
        ({"duration_s": None}, "duration_s or count: give one"),
        ({"duration_s": -1.0}, "duration_s: got -1.0, expected more than 0"),
        ({"warmup_s": float("nan")}, "warmup_s: got nan, expected 0 or more"),
        ({"model": "a,b", "data": "x.npy"}, "only generated rows"),
        ({"expect": "y.npz"}, "expect: needs the data"),
        ({"data": "x.npy", "expect": "y.npz", "verify": False}, "answers are not verified"),
        ({"arrivals": "bursts"}, "expected poisson or uniform"),
        ({"protocol": "smoke"}, "protocol: got 'smoke', expected one of native, oip, or MODULE:NAME"),
        ({"protocol": "numbatch.nowhere:IT"}, "No module named 'numbatch.nowhere'"),
        ({"tolerance": 2.0}, "tolerance: got 2.0, expected 0 to 1"),
    ],
)
def test_what_cannot_be_run_is_refused(known: dict[str, Any], problem: str) -> None:
    with pytest.raises(WorkloadError) as refused:
        Workload(**{"model": "m", **known})
    assert problem in str(refused.value)


def test_a_mix_has_weights_and_versions() -> None:
    assert Workload(model="digits/2=3,tiny").asked == (Asked("digits", 2, 3.0), Asked("tiny", 0, 1.0))
    assert Workload(model={"digits": 3}).model_text == "digits=3"


def test_an_objective_bounds_errors_too_unless_it_does_anyway() -> None:
    goals = Workload(model="m", find_max=True, objective=["p99<1s"]).goals
    assert [goal.text for goal in goals] == ["p99<1s", "errors<0.1%"]
    goals = Workload(model="m", find_max=True, objective=["p99<1s", "refused<1%"]).goals
    assert [goal.text for goal in goals] == ["p99<1s", "refused<1%"]


def test_settings_leave_arrays_out() -> None:
    settings = Workload(model="m", data={"x": np.ones(3)}, schedule=np.ones(3)).settings()
    assert (settings["data"], settings["schedule"], settings["model"]) == ({"x": "(array)"}, "(array)", "m")


def test_each_load_is_a_step_and_repeats_follow_each_other() -> None:
    planned = loads(Workload(model="m", rates=[500, 1000], repeats=2), messages=256)
    assert [(load.name, load.repeat) for load in planned] == [
        *[("500/s", 0), ("500/s", 1)],
        *[("1,000/s", 0), ("1,000/s", 1)],
    ]


def test_offline_sends_each_message_once_without_a_warmup() -> None:
    [load] = loads(Workload(model="m", scenario="offline", data="x.npy", processes=2), messages=7)
    assert load == Load(name="offline, 2 streams of 8", concurrency=2, window=8, count=7)
    workload = Workload(model="m", scenario="offline", data="x.npy")
    assert [order.count for order in orders(load, workload, 3, 0.0, None)] == [4, 3]


def test_a_trial_is_long_enough_for_its_percentile() -> None:
    workload = Workload(model="m", find_max=True, objective=["p99<1s"], duration_s=2.0)
    assert [trial(workload, rate, 1000).duration_s for rate in (100.0, 500.0, 5000.0)] == [10.0, 2.0, 2.0]


def test_callers_are_spread_over_processes_and_no_process_is_idle() -> None:
    workload = Workload(model="m", concurrency=[5])
    spread = orders(Load(name="", concurrency=5), workload, 3, 0.0, None)
    assert [(order.index, order.of, order.callers) for order in spread] == [(0, 3, 2), (1, 3, 2), (2, 3, 1)]
    assert len(orders(Load(name="", concurrency=1), workload, 3, 0.0, None)) == 1
    assert len(orders(Load(name="", rate=5.0), Workload(model="m", rates=[5.0]), 3, 0.0, None)) == 3
