"""Requests of the protocol -> those of the core, and the core's outputs -> answers of the protocol."""

import re
import time

from numbatch.serving.core import InferenceCall
from numbatch.serving.oip.messages import InferRequest, InferResponse, OutputTensor
from numbatch.serving.oip.parameters import options_of
from numbatch.serving.oip.shared_memory import Regions
from numbatch.serving.oip.tensors import array_of
from numbatch.serving.work import Work, check_request_id
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason

SERVICE = "inference.GRPCInferenceService"

# More than any model has; each costs the event loop some microseconds.
_MOST_TENSORS = 1024

_LONGEST_VERSION = 18

# What the core calls the fields of requests -> what the protocol calls them.
_THEIR_WORDS = (
    (re.compile(r"layers\[(\d+)\]"), r"outputs[\1].name"),
    (re.compile(r"inputs\[(\d+)\]\.data_type"), r"inputs[\1].datatype"),
    (re.compile(r"request_id"), "id"),
)


def start(work: Work, request: InferRequest, deadline: float | None, regions: Regions) -> None:
    """Start on a request: read its tensors, check what needs no model, hand it to the core.

    Parameters
    ----------
    work : Work
        Whose it is becomes known to it.
    request : InferRequest
        What was asked; `check_tensor_count` has let its inputs and outputs pass.
    deadline : float or None
        That of the call, on the monotonic clock.
    regions : Regions
        Where tensors may be.

    Raises
    ------
    NumbatchError
        What is wrong with it, or with the server; in the core's words.
    """
    work.model, work.request_id = request.model_name, request.id
    check_request_id(request.id)
    work.version = version_number(request.model_version)
    options = options_of(request.parameters)
    regions.check_size(tensor.place for tensor in request.inputs if tensor.place is not None)
    inputs = [(tensor.name, array_of(tensor, position, regions.read)) for position, tensor in enumerate(request.inputs)]
    layers = [output.name for output in request.outputs]
    if options.timeout_s is not None:
        within = time.monotonic() + options.timeout_s
        deadline = within if deadline is None else min(deadline, within)
    work.start(InferenceCall(request.model_name, work.version, inputs, layers, deadline, options.priority))


async def finish(work: Work, request: InferRequest, regions: Regions) -> InferResponse:
    """Wait for the outputs of a request, and put those into shared memory that are wanted there.

    Raises
    ------
    NumbatchError
        Why there are none; in the core's words.
    """
    outputs = await work.outputs()
    assert work.pending is not None  # it was answered
    version = str(work.pending.version)
    places = [wanted.place for wanted in request.outputs] or [None] * len(outputs)
    answers = [OutputTensor(name, array, place) for (name, array), place in zip(outputs, places, strict=True)]
    for check_only in (True, False):  # either all of them are written, or none
        for position, (_, array, place) in enumerate(answers):
            if place is None:
                continue
            field = f"outputs[{position}]"
            if check_only:
                regions.check_room(place, array.nbytes, field)
            else:
                regions.write(place, array, field)
    return InferResponse(request.model_name, version, request.id, answers)


def check_tensor_count(count: int, field: str) -> None:
    """Refuse more tensors than a request can need, before time is spent on each of them.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    if count > _MOST_TENSORS:
        expected = f"at most {_MOST_TENSORS}"
        raise error(Reason.INVALID_FIELD, field=field, got=f"{count} tensors", expected=expected)


def version_number(text: str, field: str = "model_version") -> int:
    """Return the version that a text names; "" is 0: the newest that is ready.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD.
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_VERSION and int(text)):
        expected = "a number of 1 or more, or nothing: the newest that is ready"
        raise error(Reason.INVALID_FIELD, field=field, got=repr(text[:64]), expected=expected)
    return int(text)


def in_their_words(problem: NumbatchError) -> NumbatchError:
    """Name the field of an error as the protocol does, and return the error."""
    field = problem.field
    for ours, theirs in _THEIR_WORDS:
        if ours.fullmatch(field):
            problem.field = ours.sub(theirs, field)
            problem.message = problem.field + problem.message.removeprefix(field)
    return problem
