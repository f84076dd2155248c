"""The .proto files as descriptors, with their comments, which the stubs leave out."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    EnumValueDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    OneofDescriptorProto,
    ServiceDescriptorProto,
)

from support.project import ROOT

PROTO = ROOT / "proto"
FILE_PARTS = ("message_type", "enum_type", "service")
PARTS = ("field", "oneof_decl", "nested_type", "enum_type", "value", "method")

Descriptor = (
    DescriptorProto
    | EnumDescriptorProto
    | EnumValueDescriptorProto
    | FieldDescriptorProto
    | MethodDescriptorProto
    | OneofDescriptorProto
    | ServiceDescriptorProto
)


@dataclass(frozen=True)
class Element:
    """Anything that a .proto file declares: a message, a field, a value of an enum and so on."""

    name: str
    descriptor: Descriptor
    comment: str


@cache
def files() -> tuple[FileDescriptorProto, ...]:
    """Every file."""
    names = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    with TemporaryDirectory() as folder:
        out = Path(folder, "descriptors.binpb")
        options = [f"--proto_path={PROTO}", "--include_source_info", f"--descriptor_set_out={out}"]
        subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options, *names], check=True)
        return tuple(FileDescriptorSet.FromString(out.read_bytes()).file)


def elements() -> list[Element]:
    """Everything that those files declare."""
    return [element for file in files() for element in _elements_of(file)]


def own_elements() -> list[Element]:
    """What they declare under names that are ours to choose: not those of the Open Inference Protocol."""
    return [element for element in elements() if element.name.startswith("numbatch.")]


def _elements_of(file: FileDescriptorProto) -> Iterator[Element]:
    comments = {
        tuple(location.path): " ".join(location.leading_comments.split()) for location in file.source_code_info.location
    }

    def walk(descriptor: Descriptor, scope: str, path: tuple[int, ...]) -> Iterator[Element]:
        name = f"{scope}.{descriptor.name}"
        yield Element(name, descriptor, comments.get(path, ""))
        yield from walk_parts(descriptor, PARTS, name, path)

    def walk_parts(
        parent: Descriptor | FileDescriptorProto, kinds: tuple[str, ...], scope: str, path: tuple[int, ...]
    ) -> Iterator[Element]:
        # A comment's path alternates between the number of a field of the descriptor and an index in it.
        for kind in kinds:
            if field := parent.DESCRIPTOR.fields_by_name.get(kind):
                for index, part in enumerate(getattr(parent, kind)):
                    if not _is_synthetic(part):
                        yield from walk(part, scope, (*path, field.number, index))

    yield from walk_parts(file, FILE_PARTS, file.package, ())


def _is_synthetic(part: Descriptor) -> bool:
    """Whether protoc made it up: the entry type of a map, the oneof of an optional field."""
    if isinstance(part, OneofDescriptorProto):
        return part.name.startswith("_")
    return isinstance(part, DescriptorProto) and part.options.map_entry
