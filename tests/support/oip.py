"""The Open Inference Protocol as plain stubs speak it: messages and bytes, no client."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from google.protobuf.message import Message

from numbatch.oip.grpc_inference_service_pb2 import (
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)
from numbatch.wire.tensors import Array
from support.raw_calls import RawCalls

MessageT = TypeVar("MessageT", bound=Message)

SERVICE = "/inference.GRPCInferenceService/"
MODEL_INFER = SERVICE + "ModelInfer"
MODEL_STREAM_INFER = SERVICE + "ModelStreamInfer"

NAMES: dict[np.dtype[Any], str] = {
    np.dtype("f4"): "FP32",
    np.dtype("f8"): "FP64",
    np.dtype("f2"): "FP16",
    np.dtype("?"): "BOOL",
    **{np.dtype(f"i{size}"): f"INT{8 * size}" for size in (1, 2, 4, 8)},
    **{np.dtype(f"u{size}"): f"UINT{8 * size}" for size in (1, 2, 4, 8)},
}


def request(
    model: str,
    x: npt.ArrayLike | None = None,
    *,
    inputs: Mapping[str, Array] | None = None,
    version: str = "",
    id: str = "",
    outputs: Sequence[str] = (),
    **parameters: Any,
) -> ModelInferRequest:
    """Return a request with raw contents: `x` as FP32 for an input without a name, or arrays as they are."""
    message = ModelInferRequest(model_name=model, model_version=version, id=id)
    arrays: Mapping[str, Array] = inputs or {}
    for name, array in {"": np.asarray(x, "<f4")}.items() if x is not None else arrays.items():
        message.inputs.add(name=name, datatype=NAMES[array.dtype], shape=array.shape)
        message.raw_input_contents.append(array.tobytes())
    for name in outputs:
        message.outputs.add(name=name)
    for name, value in parameters.items():
        set_parameter(message.parameters, name, value)
    return message


def set_parameter(parameters: Any, name: str, value: object) -> None:
    """Set a parameter of the type that the value has."""
    kinds = {bool: "bool_param", int: "int64_param", str: "string_param", float: "double_param"}
    setattr(parameters[name], kinds[type(value)], value)


def model_infer(calls: RawCalls, message: ModelInferRequest, **kwargs: Any) -> ModelInferResponse:
    """Call ModelInfer."""
    return ModelInferResponse.FromString(calls.unary(MODEL_INFER, message.SerializeToString(), **kwargs))


def stream(calls: RawCalls, messages: Sequence[ModelInferRequest]) -> list[ModelStreamInferResponse]:
    """Send requests over one ModelStreamInfer, and return all answers."""
    method = calls.channel.stream_stream(MODEL_STREAM_INFER)
    answers = method(iter([message.SerializeToString() for message in messages]), timeout=20)
    return [ModelStreamInferResponse.FromString(answer) for answer in answers]


def outputs(response: ModelInferResponse) -> dict[str, Array]:
    """Return the outputs of an answer by their names."""
    assert len(response.outputs) == len(response.raw_output_contents)
    found = {}
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        assert output.datatype == "FP32"
        found[output.name] = np.frombuffer(raw, "<f4").reshape(output.shape)
    return found


def ask(calls: RawCalls, method: str, message: Message, answer: type[MessageT]) -> MessageT:
    """Call any other method."""
    return answer.FromString(calls.unary(SERVICE + method, message.SerializeToString()))


def typed(datatype: str, shape: list[int], **contents: Any) -> ModelInferRequest:
    """A request to the tiny model, with typed contents."""
    message = ModelInferRequest(model_name="tiny")
    message.inputs.add(name="input", datatype=datatype, shape=shape, contents=InferTensorContents(**contents))
    return message
