"""What the service does with a request, without a transport."""

from concurrent.futures import Executor, ThreadPoolExecutor

import numpy as np
import pytest

from numbatch.repository.registry import Registry
from numbatch.serving.core import Core, InferenceCall
from numbatch.wire.codec import NamedArray
from numbatch.wire.errors import DeadlineExceededError, MessageTooLargeError, NotFoundError, NumbatchError
from numbatch.wire.reasons import Reason
from support.manual_executor import ManualExecutor
from support.tiny import tiny_model

ROW = np.array([3, -1], np.float32)


@pytest.fixture
def registry() -> Registry:
    registry = Registry(None)
    registry.load_from_message(tiny_model(factor=1))
    registry.load_from_message(tiny_model(factor=2))
    return registry


def call(*, inputs: list[NamedArray] | None = None, version: int = 0, deadline: float | None = None) -> InferenceCall:
    return InferenceCall("tiny", version, [("", ROW)] if inputs is None else inputs, [], deadline)


@pytest.mark.parametrize(("version", "ran", "expected"), [(0, 2, [6, 0]), (1, 1, [3, 0])])
def test_the_version_asked_for_answers(registry: Registry, version: int, ran: int, expected: list[float]) -> None:
    with ThreadPoolExecutor(1) as compute:
        result = Core(registry, compute, max_output_bytes=1000).infer(call(version=version)).result(10)
    ((layer, output),) = result.outputs
    assert (result.version, layer, output.tolist()) == (ran, "positive", expected)


def test_nothing_is_computed_before_it_is_its_turn(registry: Registry) -> None:
    compute = ManualExecutor()
    future = Core(registry, compute, max_output_bytes=1000).infer(call())
    assert (future.done(), compute.waiting) == (False, 1)
    assert compute.next_job().run()
    assert future.result(0).version == 2


def test_a_request_that_was_cancelled_while_it_waited_never_runs(registry: Registry) -> None:
    compute = ManualExecutor()
    assert Core(registry, compute, max_output_bytes=1000).infer(call()).cancel()
    assert not compute.next_job().run()


def test_a_request_whose_deadline_passed_while_it_waited_never_runs(registry: Registry) -> None:
    now = 100.0
    compute = ManualExecutor()
    core = Core(registry, compute, max_output_bytes=1000, clock=lambda: now)
    in_time, too_late = core.infer(call(deadline=101.0)), core.infer(call(deadline=102.0))
    compute.next_job().run()
    now = 102.0
    compute.next_job().run()
    assert in_time.result(0).version == 2
    with pytest.raises(DeadlineExceededError, match="waited for a compute thread"):
        too_late.result(0)


def test_an_answer_over_the_limit_is_refused_before_it_is_computed(registry: Registry) -> None:
    compute = ManualExecutor()
    core = Core(registry, compute, max_output_bytes=80)
    fits, over = (core.infer(call(inputs=[("", np.ones((rows, 2), np.float32))])) for rows in (10, 11))
    compute.next_job().run()
    compute.next_job().run()
    assert len(fits.result(0).outputs[0][1]) == 10
    with pytest.raises(MessageTooLargeError, match=r"outputs of 11 rows: got 88 bytes, expected at most 80 bytes"):
        over.result(0)


def test_an_unknown_model_is_refused_at_once(registry: Registry) -> None:
    compute = ManualExecutor()
    with pytest.raises(NotFoundError):
        Core(registry, compute, max_output_bytes=1000).infer(InferenceCall("other", 0, [], []))
    assert compute.waiting == 0


@pytest.mark.parametrize("names", [("", ""), ("", "x"), ("x", "x")])
def test_one_input_twice_is_refused(registry: Registry, names: tuple[str, str]) -> None:
    specs = registry.snapshot.ready("tiny")[1].summary.inputs
    inputs = [(specs[0].name if name == "x" else "", ROW) for name in names]
    with pytest.raises(NumbatchError) as refused:
        Core(registry, ManualExecutor(), max_output_bytes=1000).infer(call(inputs=inputs))
    assert (refused.value.reason, refused.value.field) == (Reason.DUPLICATE_INPUT, "inputs[1].name")


@pytest.mark.parametrize("executor", [ManualExecutor, lambda: ThreadPoolExecutor(1)], ids=["manual", "threads"])
def test_the_manual_executor_does_what_threads_do(executor: type[Executor]) -> None:
    compute = executor()
    answer, failure = compute.submit(lambda: 7), compute.submit(lambda: 1 // 0)
    if isinstance(compute, ManualExecutor):
        compute.next_job().run()
        compute.next_job().run()
    assert answer.result(10) == 7
    with pytest.raises(ZeroDivisionError):
        failure.result(10)
    compute.shutdown()
