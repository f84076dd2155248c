"""The compute threads: how many there may be, that they come and go, and that nobody gets another's answer."""

import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from numbatch.engine import compute_threads, load_model, set_compute_threads, set_helpers_niceness
from numbatch.kernels.target import TARGET
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.reasons import Reason
from support.float_mode import CONTROL, FLUSH_TO_ZERO, exchange
from support.instruction_sets import printed_by
from support.layers import bits
from support.networks import NARROW, WIDE, by_hand, drawn, network

pytestmark = pytest.mark.usefixtures("number_of_threads_kept")

BATCHES = (1, 7, 45, 130)


@cache
def loaded(name: str) -> Any:
    return load_model(network(*{"wide": WIDE, "narrow": NARROW}[name]))


@cache
def case(name: str, rows: int) -> Any:
    """A batch, and the oracle's answer."""
    message = loaded(name).message()
    x = drawn(f"input {rows}", rows, message.inputs[0].shape[0])
    return x, by_hand(message, x)["dense_2"]


def ask(name: str, rows: int) -> None:
    x, expected = case(name, rows)
    np.testing.assert_array_equal(bits(loaded(name).infer(x)), bits(expected))


def helpers() -> list[str]:
    return sorted(t.name for t in threading.enumerate() if t.name.startswith("numbatch-helper-"))


def together(*functions: Callable[[], object]) -> None:
    """Run functions in threads of their own, all begun at once; raise what one of them raised."""
    start, failures = threading.Barrier(len(functions)), []

    def run(function: Callable[[], object]) -> None:
        start.wait()
        try:
            function()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("size", [2, 3])
def test_callers_at_once_get_their_own_answers(size: int) -> None:
    set_compute_threads(size)

    def caller(number: int) -> None:
        for i in range(150):
            ask(("wide", "narrow")[(number + i // 5) % 2], BATCHES[(number + i) % len(BATCHES)])

    for rows in BATCHES:  # the oracle takes its time
        case("wide", rows)
        case("narrow", rows)
    together(*(partial(caller, number) for number in range(4)))
    assert len(helpers()) == size - 1


def test_the_number_of_threads_may_change_while_batches_run() -> None:
    changes, done = [2, 3, 1, 4, 2, 1, 3] * 8, threading.Event()

    def caller(name: str) -> None:
        asked = 0
        while asked < len(BATCHES) or not done.is_set():
            ask(name, BATCHES[asked % len(BATCHES)])
            asked += 1

    def changer() -> None:
        try:
            for size in changes:
                set_compute_threads(size)
                assert compute_threads() == size
                assert len(helpers()) == size - 1
        finally:
            done.set()

    together(changer, partial(caller, "wide"), partial(caller, "narrow"))
    assert len(helpers()) == changes[-1] - 1


def test_threads_that_are_not_wanted_any_more_end() -> None:
    set_compute_threads(4)
    ask("wide", 130)
    assert helpers() == ["numbatch-helper-1", "numbatch-helper-2", "numbatch-helper-3"]
    set_compute_threads(1)
    assert helpers() == []
    ask("wide", 130)


@pytest.mark.parametrize("number", [0, -1, 257, 10**30, 2.0])
def test_a_number_that_cannot_be_is_refused_and_changes_nothing(number: Any) -> None:
    set_compute_threads(2)
    with pytest.raises(InvalidArgumentError) as refused:
        set_compute_threads(number)
    assert (refused.value.reason, refused.value.field) == (Reason.INVALID_FIELD, "threads")
    assert f"got {number}, expected 1 to 256" in str(refused.value)
    assert (compute_threads(), len(helpers())) == (2, 1)


@pytest.mark.skipif(TARGET.name not in ("avx512", "avx2"), reason="the control register is that of x86 processors")
@pytest.mark.parametrize("name", ["wide", "narrow"])
def test_helpers_that_inherit_flushing_of_denormals_give_the_same_bits(name: str) -> None:
    message = network({"wide": WIDE, "narrow": NARROW}[name][0], ["linear"] * 3)
    for layer in message.layers:
        layer.dense.ClearField("bias")
    model = load_model(message)
    x = drawn("tiny", 130, message.inputs[0].shape[0]) * np.float32(1e-39)
    expected = load_model(message).infer(x)
    assert 0 < np.abs(expected).max() < np.finfo(np.float32).tiny
    modes = []

    def hostile() -> None:
        exchange(FLUSH_TO_ZERO)
        set_compute_threads(3)
        for _ in range(30):
            for rows in (45, 130):
                np.testing.assert_array_equal(bits(model.infer(x[:rows])), bits(expected[:rows]))
        modes.append(exchange(FLUSH_TO_ZERO) & CONTROL)

    together(hostile)
    assert modes == [FLUSH_TO_ZERO]
    for _ in range(30):
        np.testing.assert_array_equal(bits(model.infer(x)), bits(expected))


# The parent's team is at work before and after; the child's memory has it, but not its threads.
FORK = """
import os, sys, threading
import numpy as np
from numbatch.engine import compute_threads, load_model, set_compute_threads, set_helpers_niceness
from support.networks import WIDE, drawn, network
model, x = load_model(network(*WIDE)), drawn("input", 130, 300)
set_compute_threads(3)
expected = model.infer(x).tobytes()
child = os.fork()
answers = [model.infer(x[:rows]).tobytes() for rows in (1, 45, 130, 130)]
right = all(expected.startswith(answer) for answer in answers) and answers[-1] == expected
helpers = [thread for thread in threading.enumerate() if thread.name.startswith("numbatch-helper-")]
if not right or compute_threads() != 3 or len(helpers) != 2:
    os._exit(1)
set_compute_threads(2)
if model.infer(x).tobytes() != expected:
    os._exit(2)
if child == 0:
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_has_a_team_of_its_own_as_large_as_its_parents() -> None:
    assert printed_by(FORK, PYTHONWARNINGS="ignore").strip() == "0"


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one processor only: there is no other one to go to")
def test_a_helper_that_shares_its_callers_processor_goes_to_another() -> None:
    allowed = os.sched_getaffinity(0)
    cpu = min(allowed)
    set_compute_threads(2)
    (helper,) = (t.native_id for t in threading.enumerate() if t.name.startswith("numbatch-helper-"))
    assert helper is not None
    model, x = load_model(network(*WIDE)), drawn("input", 130, 300)
    os.sched_setaffinity(helper, {cpu})
    os.sched_setaffinity(0, {cpu})
    try:
        # It may come too late for a batch, but not for all of them.
        for _ in range(2000):
            model.infer(x)
            if os.sched_getaffinity(helper) != {cpu}:
                break
    finally:
        os.sched_setaffinity(0, allowed)
    assert os.sched_getaffinity(helper) == allowed - {cpu}


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has a priority for each thread")
def test_helpers_can_be_told_to_stand_back() -> None:
    set_helpers_niceness(7)
    try:
        set_compute_threads(2)
        model = loaded("wide")
        model.infer(case("wide", 130)[0])
        (helper,) = (thread for thread in threading.enumerate() if thread.name.startswith("numbatch-helper"))
        assert helper.native_id is not None
        until = time.monotonic() + 10
        while os.getpriority(os.PRIO_PROCESS, helper.native_id) != 7:
            assert time.monotonic() < until
        assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == 0
    finally:
        set_helpers_niceness(0)
