"""Arrays -> requests. Pure: what is asked is checked and encoded here, and sent elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy.typing as npt

from numbatch.client._errors import CallDetails
from numbatch.v1.inference_pb2 import (
    PRIORITY_HIGH,
    PRIORITY_NORMAL,
    InferRequest,
    Priority,
    StreamInferRequest,
)
from numbatch.v1.repository_pb2 import ModelMetadata
from numbatch.wire.codec import INFER_REQUEST, STREAM_INFER_REQUEST
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason
from numbatch.wire.tensors import Array, as_numbers, shape_text

Inputs = npt.ArrayLike | Mapping[str, npt.ArrayLike]

_PRIORITIES: dict[str, Priority] = {"normal": PRIORITY_NORMAL, "high": PRIORITY_HIGH}


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives: the part of its metadata by which a request is checked before it is sent.

    Attributes
    ----------
    inputs : dict of str to tuple of int
        The axes of one example, without the batch, by input name.
    outputs, layers : tuple of str
        The layers that are the model's outputs, and all layers.
    """

    inputs: Mapping[str, tuple[int, ...]]
    outputs: tuple[str, ...]
    layers: tuple[str, ...]

    @classmethod
    def of(cls, metadata: ModelMetadata) -> Self:
        """Return the signature that a model's metadata describe."""
        return cls(
            {spec.name: tuple(spec.shape) for spec in metadata.inputs},
            tuple(spec.name for spec in metadata.outputs),
            tuple(layer.name for layer in metadata.layers),
        )


@dataclass(frozen=True)
class Question:
    """What is asked about arrays.

    Attributes
    ----------
    layers : tuple of str, or None
        The layers whose outputs are wanted. None: the model's only output.
    priority : Priority
        How urgent it is.
    """

    layers: tuple[str, ...] | None
    priority: Priority


@dataclass(frozen=True)
class Minibatch:
    """One minibatch on its way: what is asked about which arrays.

    Attributes
    ----------
    call : CallDetails
        The model, its version, the request id.
    arrays : tuple of (str, ndarray of float32, int32 or int64)
        Input names and arrays; an array given without a name has the name "".
    question : Question
        What is asked about them.
    """

    call: CallDetails
    arrays: tuple[tuple[str, Array], ...]
    question: Question

    @classmethod
    def of(cls, call: CallDetails, x: Inputs, question: Question) -> Self:
        """Return the minibatch of what a caller gave, checked as far as that needs no knowledge of the model.

        Raises
        ------
        InvalidArgumentError
            MISSING_INPUT, DATA_TYPE_MISMATCH, SHAPE_MISMATCH or EMPTY_BATCH.
        """
        given = x if isinstance(x, Mapping) else {"": x}
        if not given:
            raise error(Reason.MISSING_INPUT, field="inputs", got="none", expected="an array for each input")
        arrays = tuple((name, as_numbers(value, f"inputs[{i}]")) for i, (name, value) in enumerate(given.items()))
        for i, (name, array) in enumerate(arrays):
            if array.ndim == 0:
                raise _shape_error(i, name, array, "at least one axis")
            if array.size == 0:
                got = shape_text(array.shape)
                raise error(Reason.EMPTY_BATCH, field=f"inputs[{i}].shape", got=got, expected="one row or more")
        return cls(call, arrays, question)

    def problem(self, signature: Signature) -> NumbatchError | None:
        """Return why a model with this signature would refuse the minibatch, or None if nothing speaks against it."""
        return self._problem_of_inputs(signature) or self._problem_of_layers(signature)

    def request_bytes(self, max_bytes: int) -> bytes:
        """Return the InferRequest.

        Raises
        ------
        MessageTooLargeError
            It would have more than `max_bytes`.
        """
        self._check_size(max_bytes)
        return _within(INFER_REQUEST.encode(self._request(), self.arrays), max_bytes)

    def stream_request_bytes(self, max_bytes: int) -> bytes:
        """Return the StreamInferRequest; it fails as `request_bytes` does."""
        self._check_size(max_bytes)
        message = StreamInferRequest(request=self._request())
        return _within(STREAM_INFER_REQUEST.encode(message, self.arrays), max_bytes)

    def _request(self) -> InferRequest:
        return InferRequest(
            model_name=self.call.model,
            model_version=self.call.version,
            request_id=self.call.request_id,
            layers=self.question.layers or (),
            priority=self.question.priority,
        )

    def _check_size(self, max_bytes: int) -> None:
        # Before anything is copied: what is far too large might not even fit the memory twice.
        size = sum(array.nbytes for _, array in self.arrays)
        if size > max_bytes:
            raise _over_limit(size, max_bytes)

    def _problem_of_inputs(self, signature: Signature) -> NumbatchError | None:
        named = dict(self.arrays)
        known = ", ".join(signature.inputs)
        if "" in named:
            if len(signature.inputs) != 1:
                expected = f"a mapping with arrays for {known}"
                return error(Reason.MISSING_INPUT, field="inputs", got="one array without a name", expected=expected)
            named = {next(iter(signature.inputs)): named[""]}
        batch_axes: tuple[int, ...] | None = None
        for i, (name, array) in enumerate(named.items()):
            axes = signature.inputs.get(name)
            if axes is None:
                return error(Reason.UNKNOWN_INPUT, field=f"inputs[{i}].name", got=repr(name), expected=known)
            before = array.ndim - len(axes)
            if before < 0 or array.shape[before:] != axes:
                return _shape_error(i, name, array, shape_text(axes, batch=True))
            if batch_axes is not None and array.shape[:before] != batch_axes:
                return _shape_error(i, name, array, f"the batch axes of the first input, {shape_text(batch_axes)}")
            batch_axes = array.shape[:before]
        missing = [name for name in signature.inputs if name not in named]
        if missing:
            return error(Reason.MISSING_INPUT, field="inputs", got=", ".join(named), expected=known)
        return None

    def _problem_of_layers(self, signature: Signature) -> NumbatchError | None:
        layers = self.question.layers
        if layers is None:
            return None if len(signature.outputs) == 1 else several_outputs(signature.outputs)
        for i, name in enumerate(layers):
            if name not in signature.layers:
                expected = f"one of {', '.join(signature.layers)}"
                return error(Reason.UNKNOWN_LAYER, field=f"layers[{i}]", got=repr(name), expected=expected)
        return None


def checked_layers(layers: Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the layers that a caller asked for.

    Raises
    ------
    InvalidArgumentError
        INVALID_FIELD for a lone string, which is a sequence too; DUPLICATE_LAYER.
    """
    if layers is None:
        return None
    if isinstance(layers, str):
        expected = f"a sequence of names, such as [{layers!r}]"
        raise error(Reason.INVALID_FIELD, field="layers", got=repr(layers), expected=expected)
    names = tuple(layers)
    for i, name in enumerate(names):
        if name in names[:i]:
            raise error(Reason.DUPLICATE_LAYER, field=f"layers[{i}]", got=repr(name), expected="no name twice")
    return names


def checked_priority(priority: str) -> Priority:
    """Return the priority that a caller named, or raise InvalidArgumentError (INVALID_FIELD)."""
    value = _PRIORITIES.get(priority)
    if value is None:
        raise error(Reason.INVALID_FIELD, field="priority", got=repr(priority), expected="normal or high")
    return value


def several_outputs(outputs: Sequence[str]) -> NumbatchError:
    """Return the error for a request without layers to a model that has no single output to give."""
    names = ", ".join(repr(name) for name in outputs)
    return error(
        Reason.INVALID_FIELD,
        f"the model has {len(outputs)} outputs",
        field="layers",
        got="none",
        expected="their names",
        hint=f"say layers=[{names}]",
    )


def _shape_error(i: int, name: str, array: Array, expected: str) -> NumbatchError:
    got = shape_text(array.shape)
    problem = f"input {name!r}" if name else ""
    return error(Reason.SHAPE_MISMATCH, problem, field=f"inputs[{i}].shape", got=got, expected=expected)


def _within(message: bytes, max_bytes: int) -> bytes:
    if len(message) > max_bytes:
        raise _over_limit(len(message), max_bytes)
    return message


def _over_limit(size: int, max_bytes: int) -> NumbatchError:
    return error(
        Reason.MESSAGE_TOO_LARGE,
        "a request over the limit of this client, not sent",
        got=f"{size} bytes",
        expected=f"at most {max_bytes} bytes",
        hint="send fewer rows at once (stream() takes them in minibatches), or raise max_message_bytes on both sides",
    )
