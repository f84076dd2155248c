"""Requests and answers, as no transport has them and every one can give them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from numbatch.wire.tensors import Array, Float32Array

Value = bool | int | float | str
Parameters = Mapping[str, Value]

NO_PARAMETERS: Parameters = {}


class Place(NamedTuple):
    """Where a tensor is in shared memory.

    Attributes
    ----------
    region : str
        The name of a region that was registered.
    byte_size : int
        How long the tensor is.
    offset : int
        Where it begins in the region.
    """

    region: str
    byte_size: int
    offset: int = 0


class InputTensor(NamedTuple):
    """A tensor that goes in.

    Attributes
    ----------
    name : str
        The input; may be empty where the model has one.
    datatype : str
        "FP32" and so on.
    shape : sequence of int
        Whatever was said; nothing is checked yet.
    elements : bytes, memoryview, ndarray or None
        As little-endian bytes, or in one row, of the type that `datatypes` has for them. None: they are at a place.
    place : Place or None
        Where they are, if they did not come with the request.
    """

    name: str
    datatype: str
    shape: Sequence[int]
    elements: bytes | memoryview | Array | None = None
    place: Place | None = None


class WantedOutput(NamedTuple):
    """A tensor that is to come out.

    Attributes
    ----------
    name : str
        An output, or any layer.
    place : Place or None
        Where it is to be put, if it is not to come with the answer.
    """

    name: str
    place: Place | None = None


class InferRequest(NamedTuple):
    """Asks for one minibatch.

    Attributes
    ----------
    model_name, model_version, id : str
        As the protocol has them; the version may be empty.
    inputs : sequence of InputTensor
        One for each input of the model.
    outputs : sequence of WantedOutput
        Empty: the model's outputs.
    parameters : mapping of str to bool, int, float or str
        "priority", "timeout" and others.
    """

    model_name: str
    model_version: str
    id: str
    inputs: Sequence[InputTensor]
    outputs: Sequence[WantedOutput] = ()
    parameters: Parameters = NO_PARAMETERS


class OutputTensor(NamedTuple):
    """A tensor that came out; its datatype is "FP32".

    Attributes
    ----------
    name : str
        The layer.
    array : ndarray of float32
        Its elements, little-endian and contiguous.
    place : Place or None
        Where they were put; if that is None they go with the answer.
    """

    name: str
    array: Float32Array
    place: Place | None = None


class InferResponse(NamedTuple):
    """Answers one minibatch.

    Attributes
    ----------
    model_name, model_version, id : str
        What ran, and for which request.
    outputs : sequence of OutputTensor
        In the order asked for.
    """

    model_name: str
    model_version: str
    id: str
    outputs: Sequence[OutputTensor]
