"""Reflection: what grpcurl asks before it calls anything."""

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from support.raw_calls import RawCalls


def reflect(calls: RawCalls, request: ServerReflectionRequest) -> ServerReflectionResponse:
    method = calls.channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
    (data,) = method(iter([request.SerializeToString()]), timeout=20)
    return ServerReflectionResponse.FromString(data)


def test_all_services_are_listed(calls: RawCalls) -> None:
    listed = reflect(calls, ServerReflectionRequest(list_services="")).list_services_response
    assert [service.name for service in listed.service] == [
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "inference.GRPCInferenceService",
        "numbatch.v1.InferenceService",
        "numbatch.v1.ModelRepositoryService",
    ]


@pytest.mark.parametrize(
    ("service", "files"),
    [
        (
            "numbatch.v1.InferenceService",
            {"numbatch/v1/inference.proto", "numbatch/v1/tensor.proto", "numbatch/v1/errors.proto"},
        ),
        # Its messages are in a pool of their own.
        (
            "inference.GRPCInferenceService",
            {"inference/grpc_inference_service.proto", "inference/model_config.proto"},
        ),
    ],
)
def test_a_service_is_described_with_the_files_that_it_needs(calls: RawCalls, service: str, files: set[str]) -> None:
    request = ServerReflectionRequest(file_containing_symbol=service)
    described = reflect(calls, request).file_descriptor_response.file_descriptor_proto
    assert {FileDescriptorProto.FromString(file).name for file in described} >= files


def test_a_client_in_the_same_process_changes_nothing_of_it(calls: RawCalls) -> None:
    pytest.importorskip("tritonclient.grpc")  # its stubs are in the pool of all
    service = "inference.GRPCInferenceService"
    test_a_service_is_described_with_the_files_that_it_needs(calls, service, {"inference/grpc_inference_service.proto"})


def test_what_is_in_no_pool_is_not_found(calls: RawCalls) -> None:
    request = ServerReflectionRequest(file_containing_symbol="inference.NoService")
    assert reflect(calls, request).error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]
