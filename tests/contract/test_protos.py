"""The rules of the .proto files: everything is commented, and what we name is named as buf's standard rules want it."""

import re

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)

from numbatch.wire.reasons import Code, Reason
from support import protos
from support.protos import Element

ELEMENTS = protos.elements()
OWN = protos.own_elements()
MESSAGES = [e for e in OWN if isinstance(e.descriptor, DescriptorProto)]
ENUMS = [e for e in OWN if isinstance(e.descriptor, EnumDescriptorProto)]
FIELDS = [e for e in OWN if isinstance(e.descriptor, FieldDescriptorProto)]
METHODS = [e for e in OWN if isinstance(e.descriptor, MethodDescriptorProto)]
SERVICES = [e for e in OWN if isinstance(e.descriptor, ServiceDescriptorProto)]


def names(elements: list[Element]) -> list[str]:
    return [element.name for element in elements]


def test_everything_has_a_comment_of_whole_sentences() -> None:
    assert names([e for e in ELEMENTS if not re.search(r".[.\]]$", e.comment)]) == []
    assert len(OWN) > 150  # the walk found them
    assert len(ELEMENTS) - len(OWN) > 300


def test_capitals_in_comments_are_codes_reasons_or_values() -> None:
    values = {e.name.rpartition(".")[2] for e in ELEMENTS}
    known = {*Reason, *Code.__members__, *values}
    words = {(e.name, word) for e in ELEMENTS for word in re.findall(r"\b[A-Z]+(?:_[A-Z0-9]+)+\b", e.comment)}
    assert [(name, word) for name, word in sorted(words) if word not in known] == []


@pytest.mark.parametrize("file", protos.files(), ids=lambda file: file.name)
def test_a_files_package_is_its_folder(file: FileDescriptorProto) -> None:
    assert file.package == file.name.rpartition("/")[0].replace("/", ".")
    assert file.syntax == "proto3"


def test_names_have_their_usual_case() -> None:
    assert (
        names([e for e in MESSAGES + ENUMS + METHODS if not re.fullmatch("[A-Z][A-Za-z0-9]+", e.descriptor.name)]) == []
    )
    assert names([e for e in FIELDS if not re.fullmatch("[a-z][a-z0-9]*(_[a-z0-9]+)*", e.descriptor.name)]) == []


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.name)
def test_the_values_of_an_enum_carry_its_name_and_zero_means_not_given(enum: Element) -> None:
    assert isinstance(enum.descriptor, EnumDescriptorProto)
    prefix = re.sub("(?<!^)(?=[A-Z])", "_", enum.descriptor.name).upper() + "_"
    values = {value.number: value.name for value in enum.descriptor.value}
    assert [name for name in values.values() if not name.startswith(prefix)] == []
    assert values[0] == prefix + "UNSPECIFIED"


def test_enums_are_declared_at_the_top() -> None:
    assert {enum.name.count(".") for enum in ENUMS} == {2}  # numbatch.v1.Name


def test_services_are_called_so_and_every_method_has_a_request_and_a_response_of_its_own() -> None:
    assert names([e for e in SERVICES if not e.descriptor.name.endswith("Service")]) == []
    methods = [e.descriptor for e in METHODS if isinstance(e.descriptor, MethodDescriptorProto)]
    assert [(m.input_type, m.output_type) for m in methods] == [
        (f".numbatch.v1.{m.name}Request", f".numbatch.v1.{m.name}Response") for m in methods
    ]
    assert len(methods) == 6
