"""What the service does with a request, without a transport."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np
import pytest

from numbatch.batching import Batcher, Queue, Refusal
from numbatch.repository.registry import Registry
from numbatch.repository.snapshot import Snapshot
from numbatch.serving.core import Core, InferenceCall
from numbatch.serving.pending import Done, Pending
from numbatch.wire.codec import NamedArray
from numbatch.wire.errors import (
    DeadlineExceededError,
    InternalError,
    MessageTooLargeError,
    NotFoundError,
    NumbatchError,
    OverloadedError,
    RequestCancelledError,
)
from numbatch.wire.reasons import Reason
from support.manual_compute import ManualCompute
from support.tiny import tiny_model

T = TypeVar("T")

LATE = (
    "deadline: the request would wait for too much of the time that its caller gives it: got 0.3 s, by what the "
    "batches before took, expected at most 0.1 s; try again in 0.2 s"
)
ROW = np.array([3, -1], np.float32)


class Bench:
    """A core whose requests run when the test says so."""

    def __init__(self) -> None:
        self.registry = Registry(None)
        self.registry.load_from_message(tiny_model(factor=1))
        self.registry.load_from_message(tiny_model(factor=2))
        self.compute = ManualCompute()
        self.now = 100.0
        self.core = Core(self.registry, max_output_bytes=80, clock=lambda: self.now)
        self.core.compute = self.compute(self.core.tell)

    def wait(self, call: InferenceCall) -> Pending:
        """Ask for a minibatch that does not run at once."""
        pending = self.core.infer(call)
        assert isinstance(pending, Pending)
        return pending


def with_core(story: Callable[[Bench], Awaitable[None]]) -> None:
    async def tell() -> None:
        await story(Bench())

    asyncio.run(tell())


def call(*, inputs: list[NamedArray] | None = None, version: int = 0, deadline: float | None = None) -> InferenceCall:
    return InferenceCall("tiny", version, [("", ROW)] if inputs is None else inputs, [], deadline)


@pytest.mark.parametrize(("version", "ran", "expected"), [(0, 2, [6, 0]), (1, 1, [3, 0])])
def test_the_version_asked_for_answers(version: int, ran: int, expected: list[float]) -> None:
    async def story(bench: Bench) -> None:
        pending = bench.wait(call(version=version))
        assert not pending.over
        bench.compute.next_job().run()
        ((layer, output),) = await pending.wait()
        assert (pending.version, layer, output.tolist()) == (ran, "positive", expected)

    with_core(story)


def test_a_request_that_nobody_waits_for_is_withdrawn() -> None:
    async def story(bench: Bench) -> None:
        pending = bench.wait(call())
        bench.core.withdraw(pending)
        with pytest.raises(RequestCancelledError):
            await pending.wait()
        assert not bench.compute.next_job().run()

    with_core(story)


def test_a_deadline_that_passes_in_the_queue_is_told() -> None:
    async def story(bench: Bench) -> None:
        pending = bench.wait(call(deadline=101.0))
        bench.compute.next_job().expire()
        with pytest.raises(DeadlineExceededError, match="waited to be computed"):
            await pending.wait()

    with_core(story)


def test_a_deadline_that_has_passed_is_refused_at_once() -> None:
    async def story(bench: Bench) -> None:
        with pytest.raises(DeadlineExceededError, match="had passed"):
            bench.core.infer(call(deadline=bench.now))
        assert bench.compute.waiting == 0

    with_core(story)


def test_a_batch_that_raises_is_internal() -> None:
    async def story(bench: Bench) -> None:
        pending = bench.wait(call())
        bench.compute.next_job().fail(ZeroDivisionError("secret"))
        with pytest.raises(InternalError, match="^the batch that the request was in failed; the server's log says"):
            await pending.wait()

    with_core(story)


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (
            Refusal("max_queued_rows", 5, 4, 0.25),
            "max_queued_rows: too much waits already: got 5 with this request, expected at most 4; try again in 0.25 s",
        ),
        (
            Refusal("deadline", 0.3, 0.1, 0.2),
            LATE,
        ),
    ],
)
def test_a_refusal_names_the_limit_and_says_when_to_try_again(refusal: Refusal, message: str) -> None:
    async def story(bench: Bench) -> None:
        bench.compute.refusal = refusal
        with pytest.raises(OverloadedError) as refused:
            bench.core.infer(call())
        problem = refused.value
        assert (problem.reason, problem.field, problem.retry_delay_s, problem.message) == (
            Reason.SERVER_OVERLOADED,
            refusal.limit,
            refusal.retry_after_s,
            message,
        )

    with_core(story)


def test_an_answer_over_the_limit_is_refused_before_it_is_computed() -> None:
    async def story(bench: Bench) -> None:
        fits = bench.wait(call(inputs=[("", np.ones((10, 2), np.float32))]))
        with pytest.raises(MessageTooLargeError, match=r"outputs of 11 rows: got 88 bytes, expected at most 80 bytes"):
            bench.core.infer(call(inputs=[("", np.ones((11, 2), np.float32))]))
        bench.compute.next_job().run()
        assert len((await fits.wait())[0][1]) == 10

    with_core(story)


def test_an_unknown_model_is_refused_at_once() -> None:
    async def story(bench: Bench) -> None:
        with pytest.raises(NotFoundError):
            bench.core.infer(InferenceCall("other", 0, [], []))
        assert bench.compute.waiting == 0

    with_core(story)


@pytest.mark.parametrize("names", [("", ""), ("", "x"), ("x", "x")])
def test_one_input_twice_is_refused(names: tuple[str, str]) -> None:
    async def story(bench: Bench) -> None:
        specs = bench.registry.snapshot.ready("tiny")[1].summary.inputs
        inputs = [(specs[0].name if name == "x" else "", ROW) for name in names]
        with pytest.raises(NumbatchError) as refused:
            bench.core.infer(call(inputs=inputs))
        assert (refused.value.reason, refused.value.field) == (Reason.DUPLICATE_INPUT, "inputs[1].name")

    with_core(story)


def test_a_version_that_goes_while_a_request_is_taken_answers_it() -> None:
    async def story(bench: Bench) -> None:
        class Going(Registry):
            """Has lost its models by the second look, as where a policy retires them."""

            looks = 0

            @property
            def snapshot(self) -> Snapshot:
                self.looks += 1
                return found if self.looks == 1 else Snapshot()

        found = bench.registry.snapshot
        registry = Going(None)
        core = Core(registry, max_output_bytes=80)
        core.compute = bench.compute(core.tell)
        pending = core.infer(call())
        assert isinstance(pending, Pending)
        bench.compute.next_job().run()
        assert (await pending.wait())[0][1].tolist() == [6, 0]

    with_core(story)


def test_a_model_that_was_replaced_is_freed() -> None:
    async def story(bench: Bench) -> None:
        pending = bench.wait(call())
        bench.compute.next_job().run()
        await pending.wait()
        before = weakref.ref(bench.registry.snapshot.ready("tiny")[1])
        del pending
        bench.registry.load_from_message(tiny_model(factor=5), version=2)
        assert before() is None

    with_core(story)


def test_a_request_that_is_waited_for_is_answered_when_its_batch_has_run() -> None:
    async def story(bench: Bench) -> None:
        waiting = asyncio.create_task(bench.wait(call()).wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        bench.compute.next_job().run()
        ((_, output),) = await waiting
        assert output.tolist() == [6, 0]

    with_core(story)


def test_what_is_quick_runs_at_once() -> None:
    async def story(bench: Bench) -> None:
        batcher = Batcher(
            Queue(max_bytes_in_flight=10**6), bench.core.tell, clock=lambda: bench.now
        )  # nothing takes time
        bench.core.compute = batcher
        first = bench.core.infer(call())
        assert isinstance(first, Pending)  # nothing is known yet of how long it takes
        await first.wait()
        await asyncio.to_thread(batcher.close)
        again = bench.core.infer(call())
        assert isinstance(again, Done)
        assert (again.version, again.rows, again.outputs[0][1].tolist()) == (2, 1, [6, 0])

    with_core(story)


def test_the_manual_compute_does_what_a_batcher_does() -> None:
    async def answers(batched: bool) -> list[tuple[int, str, list[float]]]:
        bench = Bench()
        batcher = Batcher(Queue(max_bytes_in_flight=10**6), bench.core.tell)
        if batched:
            bench.core.compute = batcher
        pendings = [bench.wait(call(version=version)) for version in (1, 2)]
        if not batched:
            bench.compute.next_job().run()
            bench.compute.next_job().run()
        results = [(pending.version, *(await pending.wait())[0]) for pending in pendings]
        await asyncio.to_thread(batcher.close)
        return [(version, layer, output.tolist()) for version, layer, output in results]

    assert asyncio.run(answers(False)) == asyncio.run(answers(True))
