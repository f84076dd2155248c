"""The seam between load tests and what servers speak: how requests become bytes, and answers outputs.

Another protocol is another class with these members, and a line in `PROTOCOLS`. Nothing else knows messages.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol as Interface

from numbatch.client._calls import RETRIED_METHODS
from numbatch.v1.inference_pb2 import DESCRIPTOR, InferRequest, StreamInferRequest
from numbatch.v1.repository_pb2 import GetModelRequest, GetModelResponse, WeightsPrecision
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE, STREAM_INFER_REQUEST, STREAM_INFER_RESPONSE
from numbatch.wire.status import from_status
from numbatch.wire.tensors import Array, data_type_name, read_tensor

Arrays = Mapping[str, Array]
# Calls a method: its path and the request's bytes, and back come those of the answer.
Call = Callable[[str, bytes], bytes]


@dataclass(frozen=True)
class Input:
    """An input of a model.

    Attributes
    ----------
    name, data_type : str
        As "float32".
    shape : tuple of int
        The axes of one example.
    """

    name: str
    data_type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """What a server says of a model.

    Attributes
    ----------
    name, version : str, int
        Which.
    inputs : tuple of Input
        What it takes.
    outputs : tuple of str
        What it gives.
    instruction_set, weights_precision : str
        How it computes, where the server says so.
    """

    name: str
    version: int
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    instruction_set: str = ""
    weights_precision: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer, or the error that came in its place on a stream.

    Attributes
    ----------
    model : str
        Who answered, as NAME/VERSION.
    outputs : dict of str to ndarray
        By name.
    code, error : int, str
        A status code other than 0, and its text, for an error.
    """

    model: str
    outputs: Arrays
    code: int = 0
    error: str = ""


class Protocol(Interface):
    """How a kind of server is spoken to."""

    name: str
    infer_method: str
    # "": there are no streams.
    stream_method: str

    def describe(self, call: Call, model: str, version: int) -> Model:
        """Ask a server about a model."""

    def request(self, model: str, version: int, arrays: Arrays, *, streamed: bool) -> bytes:
        """Return the bytes of a request."""

    def answer(self, data: bytes, *, streamed: bool) -> Answer:
        """Take the bytes of an answer apart; ValueError, or a NumbatchError, for what is none."""


class Native:
    """numbatch's own."""

    name = "native"
    _service = DESCRIPTOR.services_by_name["InferenceService"].full_name
    infer_method = f"/{_service}/Infer"
    stream_method = f"/{_service}/StreamInfer"
    _get_model = next(f"/{service}/{method}" for service, method in RETRIED_METHODS if method == "GetModel")

    def describe(self, call: Call, model: str, version: int) -> Model:
        """Ask a server about a model."""
        request = GetModelRequest(model_name=model, model_version=version)
        metadata = GetModelResponse.FromString(call(self._get_model, request.SerializeToString())).metadata
        return Model(
            name=model,
            version=metadata.status.model_version,
            inputs=tuple(
                Input(spec.name, data_type_name(spec.data_type or 1), tuple(spec.shape)) for spec in metadata.inputs
            ),
            outputs=tuple(spec.name for spec in metadata.outputs),
            instruction_set=metadata.instruction_set,
            weights_precision=WeightsPrecision.Name(
                metadata.weights_precision or WeightsPrecision.WEIGHTS_PRECISION_F32
            )
            .removeprefix("WEIGHTS_PRECISION_")
            .lower(),
        )

    def request(self, model: str, version: int, arrays: Arrays, *, streamed: bool) -> bytes:
        """Return the bytes of a request."""
        message = InferRequest(model_name=model, model_version=version)
        if streamed:
            return STREAM_INFER_REQUEST.encode(StreamInferRequest(request=message), arrays.items())
        return INFER_REQUEST.encode(message, arrays.items())

    def answer(self, data: bytes, *, streamed: bool) -> Answer:
        """Take the bytes of an answer apart."""
        if not streamed:
            response, blobs = INFER_RESPONSE.decode(data)
        else:
            message, blobs = STREAM_INFER_RESPONSE.decode(data)
            if message.WhichOneof("outcome") == "error":
                failure = from_status(message.error)
                return Answer("", {}, message.error.code or 2, f"{failure.reason.name}: {failure.message}")
            response = message.response
        outputs = {
            tensor.name: read_tensor(tensor, blob, f"outputs[{i}]")
            for i, (tensor, blob) in enumerate(zip(response.outputs, blobs, strict=True))
        }
        return Answer(f"{response.model_name}/{response.model_version}", outputs)


PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in (Native(),)}
