"""numbatch's own protocol."""

from numbatch.client._calls import RETRIED_METHODS
from numbatch.loadtest.protocol import Answer, Arrays, Call, Model, Tensor
from numbatch.v1.inference_pb2 import DESCRIPTOR, InferRequest, StreamInferRequest
from numbatch.v1.repository_pb2 import GetModelRequest, GetModelResponse, TensorSpec, WeightsPrecision
from numbatch.wire.codec import INFER_REQUEST, INFER_RESPONSE, STREAM_INFER_REQUEST, STREAM_INFER_RESPONSE
from numbatch.wire.status import from_status
from numbatch.wire.tensors import data_type_name, read_tensor


class Native:
    """Speaks it."""

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
            inputs=tuple(map(_tensor, metadata.inputs)),
            outputs=tuple(map(_tensor, metadata.outputs)),
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


def _tensor(spec: TensorSpec) -> Tensor:
    return Tensor(spec.name, data_type_name(spec.data_type or 1), tuple(spec.shape))
