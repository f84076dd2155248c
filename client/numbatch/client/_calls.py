"""The methods of the server: their paths, and how messages become bytes."""

from typing import Any

from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from numbatch.v1.inference_pb2 import DESCRIPTOR as INFERENCE
from numbatch.v1.repository_pb2 import (
    DESCRIPTOR as REPOSITORY,
)
from numbatch.v1.repository_pb2 import (
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    LoadModelRequest,
    LoadModelResponse,
    UnloadModelRequest,
    UnloadModelResponse,
)

_INFERENCE = INFERENCE.services_by_name["InferenceService"].full_name
_REPOSITORY = REPOSITORY.services_by_name["ModelRepositoryService"].full_name

# Those that change nothing.
RETRIED_METHODS = ((_INFERENCE, "Infer"), (_REPOSITORY, "ListModels"), (_REPOSITORY, "GetModel"))

_SERVING = 1


class Stub:
    """The methods as callables on a channel of either stack.

    Inference moves bytes, which `numbatch.wire.codec` makes and reads without protobuf's copies of the tensors.
    """

    def __init__(self, channel: Any) -> None:
        self.infer = channel.unary_unary(f"/{_INFERENCE}/Infer")
        self.stream_infer = channel.stream_stream(f"/{_INFERENCE}/StreamInfer")
        self.list_models = channel.unary_unary(
            f"/{_REPOSITORY}/ListModels", ListModelsRequest.SerializeToString, ListModelsResponse.FromString
        )
        self.get_model = channel.unary_unary(
            f"/{_REPOSITORY}/GetModel", GetModelRequest.SerializeToString, GetModelResponse.FromString
        )
        self.load_model = channel.unary_unary(
            f"/{_REPOSITORY}/LoadModel", LoadModelRequest.SerializeToString, LoadModelResponse.FromString
        )
        self.unload_model = channel.unary_unary(
            f"/{_REPOSITORY}/UnloadModel", UnloadModelRequest.SerializeToString, UnloadModelResponse.FromString
        )
        self.check_health = channel.unary_unary("/grpc.health.v1.Health/Check", _health_request, _is_serving)


# grpc.health.v1 in the wrappers that protobuf brings along, which have the same form on the wire: a HealthCheckRequest
# is one string in field 1, a HealthCheckResponse one enum there. So the client needs no grpcio-health-checking, and no
# second declaration of these messages, which would collide with that in one process.
def _health_request(service: str) -> bytes:
    return StringValue(value=service).SerializeToString()


def _is_serving(response: bytes) -> bool:
    return Int32Value.FromString(response).value == _SERVING
