"""The Open Inference Protocol in our words has the names and the numbers of Triton's."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

from numbatch.oip import grpc_inference_service_pb2, model_config_pb2
from numbatch.oip.pool import POOL
from support import protos

FILES = ("inference/grpc_inference_service.proto", "inference/model_config.proto")

# One after the other, as a program has them that uses both.
BOTH = """
from numbatch.oip import grpc_inference_service_pb2 as ours
import tritonclient.grpc.service_pb2 as theirs
request = ours.ModelInferRequest(model_name="digits", model_version="1", id="a")
request.parameters["priority"].uint64_param = 1
request.inputs.add(name="x", datatype="FP32", shape=[1, 2]).contents.fp32_contents.extend([0.5, 1])
request.outputs.add(name="y").parameters["shared_memory_region"].string_param = "r"
request.raw_input_contents.append(b"1234")
read = theirs.ModelInferRequest.FromString(request.SerializeToString())
assert str(read) == str(request), read
"""


def test_the_service_is_tritons_to_the_last_name_and_number() -> None:
    theirs = pytest.importorskip("tritonclient.grpc.service_pb2")
    assert _facts(_file(FILES[0])) == _facts(_proto(theirs))


def test_the_configuration_of_models_is_a_part_of_tritons() -> None:
    theirs = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    assert _facts(_file(FILES[1])) - _facts(_proto(theirs)) == set()


@pytest.mark.parametrize("first", [0, 1])
def test_our_stubs_and_those_of_tritons_client_live_in_one_process(first: int) -> None:
    pytest.importorskip("tritonclient.grpc")
    lines = BOTH.strip().splitlines()
    lines[:2] = lines[first], lines[1 - first]
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_the_messages_are_in_a_pool_of_their_own() -> None:
    for module, name in zip((grpc_inference_service_pb2, model_config_pb2), FILES, strict=True):
        assert POOL.FindFileByName(name) is module.DESCRIPTOR


def _file(name: str) -> FileDescriptorProto:
    return next(file for file in protos.files() if file.name == name)


def _proto(module: Any) -> FileDescriptorProto:
    proto = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(proto)
    return proto


def _facts(file: FileDescriptorProto) -> set[str]:
    """Every name, number and type, one a line."""
    return set(_facts_of_file(file))


def _facts_of_file(file: FileDescriptorProto) -> Iterator[str]:
    for message in file.message_type:
        yield from _facts_of_message(message, "")
    for enum in file.enum_type:
        yield from _facts_of_enum(enum, "")
    for service in file.service:
        for method in service.method:
            streams = f"{method.client_streaming} {method.server_streaming}"
            yield f"{service.name}/{method.name}: {method.input_type} {method.output_type} {streams}"


def _facts_of_message(message: DescriptorProto, scope: str) -> Iterator[str]:
    name = scope + message.name
    yield f"{name}: entries of a map" if message.options.map_entry else name
    for field in message.field:
        oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
        yield f"{name}.{field.name}: {field.number} {field.label} {field.type} {field.type_name} {oneof}"
    for nested in message.nested_type:
        yield from _facts_of_message(nested, f"{name}.")
    for enum in message.enum_type:
        yield from _facts_of_enum(enum, f"{name}.")


def _facts_of_enum(enum: EnumDescriptorProto, scope: str) -> Iterator[str]:
    for value in enum.value:
        yield f"{scope}{enum.name}.{value.name}: {value.number}"
