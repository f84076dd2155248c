"""The Open Inference Protocol, which numbatch, Triton, KServe and MLServer speak."""

import math

import numpy as np
from google.protobuf.message import DecodeError

from numbatch.loadtest.protocol import Answer, Arrays, Call, Model, Tensor
from numbatch.oip.grpc_inference_service_pb2 import (
    ModelInferRequest,
    ModelInferResponse,
    ModelMetadataRequest,
    ModelMetadataResponse,
    ModelStreamInferResponse,
)
from numbatch.wire.tensors import Array, array_bytes

# The elements of each type as they are in bytes, and the field that has them one by one. NumPy has no BF16: its
# elements are compared as the bits that they are.
_TYPES: dict[str, tuple[str, str]] = {
    "BOOL": ("bool", "bool_contents"),
    "INT8": ("int8", "int_contents"),
    "INT16": ("int16", "int_contents"),
    "INT32": ("int32", "int_contents"),
    "INT64": ("int64", "int64_contents"),
    "UINT8": ("uint8", "uint_contents"),
    "UINT16": ("uint16", "uint_contents"),
    "UINT32": ("uint32", "uint_contents"),
    "UINT64": ("uint64", "uint64_contents"),
    "FP16": ("float16", ""),
    "BF16": ("uint16", ""),
    "FP32": ("float32", "fp32_contents"),
    "FP64": ("float64", "fp64_contents"),
}
_NAMES = {dtype: name for name, (dtype, _) in _TYPES.items() if name != "BF16"}

# Servers make up a name for a request that has none, so that no two answers have the same bytes.
_ID = "1"
# The code of an error on a stream, which comes as a text alone: UNKNOWN.
_UNKNOWN = 2


class OpenInference:
    """Speaks it.

    Tensors go as raw contents; answers may have either kind. The first axis of each is taken for the batch.
    """

    infer_method = "/inference.GRPCInferenceService/ModelInfer"
    stream_method = "/inference.GRPCInferenceService/ModelStreamInfer"
    _model_metadata = "/inference.GRPCInferenceService/ModelMetadata"

    def describe(self, call: Call, model: str, version: int) -> Model:
        """Ask a server about a model."""
        request = ModelMetadataRequest(name=model, version=_text(version))
        metadata = ModelMetadataResponse.FromString(call(self._model_metadata, request.SerializeToString()))
        versions = [int(text) for text in metadata.versions if text.isdecimal()]
        return Model(
            name=model,
            version=version or max(versions, default=None),
            inputs=tuple(map(_tensor, metadata.inputs)),
            outputs=tuple(map(_tensor, metadata.outputs)),
        )

    def request(self, model: str, version: int, arrays: Arrays, *, streamed: bool) -> bytes:
        """Return the bytes of a request."""
        message = ModelInferRequest(model_name=model, model_version=_text(version), id=_ID)
        for name, array in arrays.items():
            message.inputs.add(name=name, datatype=_NAMES[array.dtype.name], shape=array.shape)
            message.raw_input_contents.append(bytes(array_bytes(array)))
        return message.SerializeToString()

    def answer(self, data: bytes, *, streamed: bool) -> Answer:
        """Take the bytes of an answer apart."""
        response = _plain(data) if streamed else _parsed(data)
        if response is None:
            try:
                message = ModelStreamInferResponse.FromString(data)
            except DecodeError as broken:
                raise ValueError("not an answer of a stream") from broken
            if message.error_message:
                return Answer("", {}, _UNKNOWN, message.error_message)
            response = message.infer_response
        return Answer(f"{response.model_name}/{response.model_version}".rstrip("/"), _outputs(response))


def _text(version: int) -> str:
    return str(version) if version else ""


def _tensor(metadata: ModelMetadataResponse.TensorMetadata) -> Tensor:
    dtype, _ = _TYPES.get(metadata.datatype, (metadata.datatype, ""))
    # No numbers can be made for it, other than for BOOL to FP64.
    name = "BF16" if metadata.datatype == "BF16" else dtype
    return Tensor(metadata.name, name, tuple(metadata.shape[1:]))


def _parsed(data: bytes) -> ModelInferResponse:
    try:
        return ModelInferResponse.FromString(data)
    except DecodeError as broken:
        raise ValueError("not an answer") from broken


def _plain(data: bytes) -> ModelInferResponse | None:
    """Return an answer on a stream if it is one without an envelope, as MLServer sends it.

    An envelope has two fields, neither of which is where the other message has its outputs.
    """
    try:
        response = ModelInferResponse.FromString(data)
    except DecodeError:
        return None
    return response if response.outputs else None


def _outputs(response: ModelInferResponse) -> dict[str, Array]:
    raw = response.raw_output_contents
    if raw and len(raw) != len(response.outputs):
        raise ValueError(f"{len(raw)} raw contents for {len(response.outputs)} outputs")
    return {
        tensor.name: _array(tensor, raw[i] if raw else None, f"output {tensor.name!r}")
        for i, tensor in enumerate(response.outputs)
    }


def _array(tensor: ModelInferResponse.InferOutputTensor, raw: bytes | None, where: str) -> Array:
    if tensor.datatype not in _TYPES:
        raise ValueError(f"{where} is {tensor.datatype}, which cannot be compared")
    name, field = _TYPES[tensor.datatype]
    dtype = np.dtype(name).newbyteorder("<")
    shape = tuple(tensor.shape)
    if raw is None:
        if not field:
            raise ValueError(f"{where} is {tensor.datatype} without raw contents")
        flat = np.array(getattr(tensor.contents, field), dtype)
    elif len(raw) % dtype.itemsize:
        raise ValueError(f"{where} has {len(raw)} bytes, expected elements of {dtype.itemsize}")
    else:
        flat = np.frombuffer(raw, dtype)
    if min(shape, default=0) < 0 or flat.size != math.prod(shape):
        raise ValueError(f"{where} has {flat.size} elements, expected shape {list(shape)}")
    return flat.reshape(shape)
