"""grpc.reflection.v1alpha.ServerReflection: lets grpcurl and the like call the services without the .proto files."""

from collections.abc import Iterable

import grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2


def reflection_handlers(services: Iterable[str]) -> grpc.GenericRpcHandler:
    """Return what gRPC is given to describe these services, and itself."""
    servicer = reflection.aio.ReflectionServicer([*services, reflection.SERVICE_NAME])
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(reflection.SERVICE_NAME, {"ServerReflectionInfo": method})
