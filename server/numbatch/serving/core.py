"""What the service does with a request, whatever brings it: find the version, check, let it wait for its batch.

All of it runs on the thread of the event loop, but for the batches themselves, which a `Batcher` runs.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from numbatch.batching import (
    DEFAULT_LIMITS,
    BatchLimits,
    BatchReport,
    Group,
    Part,
    Priority,
    QueueStatistics,
    Refusal,
    Request,
)
from numbatch.engine import LoadedModel
from numbatch.engine.jobs import Job, Slice, run_together
from numbatch.repository.registry import Registry
from numbatch.repository.settings import BatchingSettings
from numbatch.repository.snapshot import Entry
from numbatch.serving.observer import Observer
from numbatch.serving.pending import Done, Pending
from numbatch.wire.codec import NamedArray
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array

_log = logging.getLogger(__name__)

# What takes less is computed on the event loop, and at once: to hand it to a thread and back costs more than it delays
# others, and a place in a batch costs some 20 us. With 64 callers who call without a pause, 4650 calls a second of
# 784-512-512-10 with one row came through the queue, which found 1.5 of them for a batch; 5000 and more came past it.
_QUICK_S = 100e-6

# Of one model: a client that asks for every combination of layers must not fill the memory.
_MOST_GROUPS = 256

_NEVER = float("inf")

_BATCH_FAILED = "the batch that the request was in failed; the server's log says more"
_NO_TIME_LEFT = "the deadline passed while the request waited to be computed"


class InferenceCall(NamedTuple):
    """Asks for one minibatch.

    Attributes
    ----------
    model : str
        The model's name.
    version : int
        0: the newest that is ready.
    inputs : sequence of (str, ndarray)
        One for each input of the model. The name may be empty where the model has one input.
    layers : sequence of str
        Whose outputs are wanted. Empty: the model's outputs.
    deadline : float or None
        On the monotonic clock; from then on nobody waits for the answer.
    priority : Priority
        How urgent it is.
    """

    model: str
    version: int
    inputs: Sequence[NamedArray]
    layers: Sequence[str]
    deadline: float | None = None
    priority: Priority = Priority.NORMAL


class Compute(Protocol):
    """What the core needs of a `Batcher`."""

    def may_pass(self, group: Group, rows: int, quick_s: float) -> bool:
        """Return whether a request may run at once, past the queue."""

    def passed(self, group: Group, rows: int, seconds: float) -> None:
        """Take note of how long one took that did."""

    def submit(self, request: Request) -> Refusal | None:
        """Let a request wait, or say why it may not."""

    def withdraw(self, request: Request) -> bool:
        """Let go of a request."""

    def dispatch(self) -> None:
        """Have what waits run."""

    @property
    def statistics(self) -> QueueStatistics:
        """How it stands with what waits."""

    @property
    def is_alive(self) -> bool:
        """Whether what waits can run."""

    def close(self) -> None:
        """Run what waits, and end."""


class Core:
    """Answers requests. It belongs to the thread of the event loop that it is made on.

    Parameters
    ----------
    registry : Registry
        Where the models are.
    max_output_bytes : int
        A minibatch whose outputs are larger is refused before it is computed.
    limits : callable
        Returns the limits of a model, by its settings.
    observer : Observer
        Is told of the batches.
    clock : callable
        Returns the seconds that deadlines are on.

    Attributes
    ----------
    compute : Compute
        Where batches run; set once, before the first request. It tells of them through `tell`.
    """

    compute: Compute

    def __init__(
        self,
        registry: Registry,
        *,
        max_output_bytes: int,
        limits: Callable[[BatchingSettings], BatchLimits] = lambda _: DEFAULT_LIMITS,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._max_output_bytes = max_output_bytes
        self._limits = limits
        self._observer = observer or Observer()
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._will_dispatch = False

    def infer(self, call: InferenceCall) -> Pending | Done:
        """Start on a minibatch, and be done with it if that is quick.

        Raises
        ------
        NumbatchError
            If the model or version does not answer, inputs or layers are not the model's, the outputs would be too
            large, the deadline has passed, or the server has no room for it now.
        """
        snapshot = self._registry.snapshot  # the next one may not have the version any more
        version, model = snapshot.ready(call.model, call.version)
        layers = tuple(call.layers)
        group: Group | None = model.groups.get(layers)
        if group is None:
            group = self._new_group(snapshot.versions[call.model][version], model, layers)
        job = model.prepare(
            _by_name(call.inputs, model),
            layers,
            max_output_bytes=self._max_output_bytes,
            most_rows=group.limits.max_batch_size,
        )
        deadline = call.deadline
        if deadline is None:
            deadline = _NEVER
        elif deadline <= self._clock():
            raise error(Reason.DEADLINE_EXCEEDED, "the deadline had passed when the request was read")
        if self.compute.may_pass(group, job.rows, _QUICK_S):
            return self._compute_at_once(job, group, version)
        pending = Pending(group, job, version, call.priority, deadline)
        refusal = self.compute.submit(pending)
        if refusal is not None:
            raise _refused(refusal)
        # Once all that this turn of the loop brings is there: they can run together.
        if not self._will_dispatch:
            self._will_dispatch = True
            self._loop.call_soon(self._dispatch)
        return pending

    def withdraw(self, pending: Pending | Done) -> None:
        """Let go of a request whose answer nobody waits for any more."""
        if isinstance(pending, Pending) and not pending.over:
            self.compute.withdraw(pending)
            pending.end(error(Reason.CANCELLED, "the request was withdrawn"))

    def tell(self, ended: Sequence[Request], report: BatchReport | None) -> None:
        """Take note of a batch that ran, and answer the requests that ended with it; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._answer, ended, report)
        except RuntimeError:
            pass  # the loop has ended: nobody waits any more

    def _compute_at_once(self, job: Job, group: Group, version: int) -> Done:
        """Do the same as the queue, only faster: without a place in it, a future, and another turn of the loop."""
        began = self._clock()
        try:
            job.run(alone=True)
        except Exception:
            fields = {"rows": job.rows, "model": group.model}
            _log.exception("a batch of %(rows)d rows of %(model)s failed", fields)
            seconds = self._clock() - began
            self._observer.on_batch(BatchReport(group.model, job.rows, (0.0,), seconds, True, group.version))
            raise error(Reason.INTERNAL, _BATCH_FAILED) from None
        seconds = self._clock() - began
        self.compute.passed(group, job.rows, seconds)
        self._observer.on_batch(BatchReport(group.model, job.rows, (0.0,), seconds, False, version))
        return Done(job, version, seconds)

    def _dispatch(self) -> None:
        self._will_dispatch = False
        self.compute.dispatch()

    def _answer(self, ended: Sequence[Request], report: BatchReport | None) -> None:
        for pending in ended:
            assert isinstance(pending, Pending)
            if pending.over:
                continue
            if pending.expired:
                pending.end(error(Reason.DEADLINE_EXCEEDED, _NO_TIME_LEFT))
            elif pending.problem is not None:
                pending.end(error(Reason.INTERNAL, _BATCH_FAILED))
            else:
                pending.end()
        if report is not None:
            self._observer.on_batch(report)

    def _new_group(self, entry: Entry, model: LoadedModel, layers: tuple[str, ...]) -> Group:
        groups = model.groups  # a version that is replaced takes them with it
        if len(groups) >= _MOST_GROUPS:
            groups.clear()
        group = groups[layers] = Group(entry.name, _run, self._limits(entry.settings.batching), entry.version)
        return group


def _run(parts: Sequence[Part]) -> None:
    run_together([Slice(part.request.payload, part.start, part.stop) for part in parts])


def _refused(refusal: Refusal) -> NumbatchError:
    """Return the error for a request that there is no room for."""
    after = refusal.retry_after_s
    hint = f"try again in {after:.2g} s"
    if refusal.limit == "deadline":
        return error(
            Reason.SERVER_OVERLOADED,
            "the request would wait for too much of the time that its caller gives it",
            field="deadline",
            got=f"{refusal.got:.3g} s, by what the batches before took",
            expected=f"at most {refusal.most:.3g} s",
            hint=hint,
            retry_delay_s=after,
        )
    return error(
        Reason.SERVER_OVERLOADED,
        "too much waits already",
        field=refusal.limit,
        got=f"{refusal.got:.0f} with this request",
        expected=f"at most {refusal.most:.0f}",
        hint=hint,
        retry_delay_s=after,
    )


def _by_name(tensors: Sequence[NamedArray], model: LoadedModel) -> dict[str, Array]:
    specs = model.summary.inputs
    only_input = specs[0].name if len(specs) == 1 else ""
    inputs: dict[str, Array] = {}
    for position, (given, array) in enumerate(tensors):
        name = given or only_input
        if name in inputs:
            problem = "a second tensor for the same input"
            expected = "one tensor for each input"
            raise error(
                Reason.DUPLICATE_INPUT, problem, field=f"inputs[{position}].name", got=repr(name), expected=expected
            )
        inputs[name] = array
    return inputs
