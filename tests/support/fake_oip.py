"""Methods for a fake server that speaks the Open Inference Protocol, as different servers do.

They serve one model, "double": an input "x" of two features and the output "twice" (2 x).
"""

from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np

from numbatch.oip.grpc_inference_service_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelStreamInferResponse,
)

MODEL_METADATA = "/inference.GRPCInferenceService/ModelMetadata"
MODEL_INFER = "/inference.GRPCInferenceService/ModelInfer"
MODEL_STREAM_INFER = "/inference.GRPCInferenceService/ModelStreamInfer"


def model_metadata(request: bytes, context: Any) -> bytes:
    """Answer a ModelMetadataRequest."""
    asked = ModelMetadataRequest.FromString(request)
    if asked.name != "double":
        context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{asked.name}' is not found")
    tensor = {"datatype": "FP32", "shape": [-1, 2]}
    answer = ModelMetadataResponse(
        name="double",
        versions=["1", "2"],
        platform="fake",
        inputs=[tensor | {"name": "x"}],
        outputs=[tensor | {"name": "twice"}],
    )
    return answer.SerializeToString()


def response(request: bytes, *, raw: bool = True) -> ModelInferResponse:
    """Return the answer to a ModelInferRequest, with its outputs as raw contents or one by one."""
    asked = ModelInferRequest.FromString(request)
    (x,) = asked.inputs
    assert (x.name, x.datatype) == ("x", "FP32")
    y = 2 * np.frombuffer(asked.raw_input_contents[0], "<f4").reshape(tuple(x.shape))
    answer = ModelInferResponse(model_name=asked.model_name, model_version="2", id=asked.id)
    output = answer.outputs.add(name="twice", datatype="FP32", shape=y.shape)
    if raw:
        answer.raw_output_contents.append(y.tobytes())
    else:
        output.contents.fp32_contents.extend(y.ravel().tolist())
    return answer


def raw(request: bytes, _: Any = None) -> bytes:
    """Answer with raw contents, as most servers do."""
    return response(request).SerializeToString()


def typed(request: bytes, _: Any = None) -> bytes:
    """Answer with contents one by one, as some do."""
    return response(request, raw=False).SerializeToString()


def enveloped(request: bytes) -> bytes:
    """Answer a message of a stream as Triton does."""
    return ModelStreamInferResponse(infer_response=response(request)).SerializeToString()


def stream_of(answer: Any) -> Any:
    """Return a method that answers each message of a stream so."""

    def method(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        return map(answer, requests)

    return method


METHODS = {MODEL_METADATA: model_metadata, MODEL_INFER: raw, MODEL_STREAM_INFER: stream_of(enveloped)}
