"""What the service does, whatever brings the requests: find the version, check, run.

The seam to the compute threads is a `concurrent.futures.Executor`: `Core.infer` gives it one job for each request and
returns at once. A job whose future was cancelled before it began never runs, nor does one whose deadline has passed.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from numbatch.engine import LoadedModel
from numbatch.repository.registry import Registry
from numbatch.wire.codec import NamedArray
from numbatch.wire.errors import error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array


@dataclass(frozen=True, slots=True)
class InferenceCall:
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
    """

    model: str
    version: int
    inputs: Sequence[NamedArray]
    layers: Sequence[str]
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class InferenceResult:
    """Answers an `InferenceCall`: the version that ran, and the outputs in the order asked for."""

    version: int
    outputs: Sequence[NamedArray]


class Core:
    """Answers requests.

    Parameters
    ----------
    registry : Registry
        Where the models are.
    compute : Executor
        Where they run.
    max_output_bytes : int
        A minibatch whose outputs are larger is refused before it is computed.
    clock : callable
        Returns the seconds that deadlines are on.
    """

    def __init__(
        self,
        registry: Registry,
        compute: Executor,
        *,
        max_output_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = registry
        self._compute = compute
        self._max_output_bytes = max_output_bytes
        self._clock = clock

    def infer(self, call: InferenceCall) -> Future[InferenceResult]:
        """Start on a minibatch.

        Returns
        -------
        Future of InferenceResult
            Fails with a NumbatchError if inputs or layers are not the model's, the outputs would be too large, or the
            deadline passes before it is its turn.

        Raises
        ------
        NumbatchError
            If the model or version does not answer, or an input is named twice.
        """
        version, model = self._registry.snapshot.ready(call.model, call.version)
        inputs = _by_name(call.inputs, model)
        return self._compute.submit(self._run, call, version, model, inputs)

    def _run(self, call: InferenceCall, version: int, model: LoadedModel, inputs: dict[str, Array]) -> InferenceResult:
        if call.deadline is not None and self._clock() >= call.deadline:
            raise error(Reason.DEADLINE_EXCEEDED, "the deadline passed while the request waited for a compute thread")
        return InferenceResult(version, model.run(inputs, call.layers, max_output_bytes=self._max_output_bytes))


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
