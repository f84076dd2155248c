"""One list of reasons: in errors.proto, in Python, with a class and a code for each."""

import re

import grpc
import pytest

from numbatch.v1.errors_pb2 import ErrorReason
from numbatch.wire.errors import NumbatchError, error, error_class
from numbatch.wire.reasons import Code, Reason
from support import protos

PREFIX = "ERROR_REASON_"
COMMENTS = {
    element.name.rpartition(".")[2].removeprefix(PREFIX): element.comment
    for element in protos.elements()
    if element.name.startswith(f"numbatch.v1.ErrorReason.{PREFIX}")
}


def test_python_lists_the_reasons_of_the_contract_in_its_order() -> None:
    assert [PREFIX + reason for reason in Reason] == list(ErrorReason.keys())


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.UNSPECIFIED])
def test_the_class_of_every_reason_has_the_code_that_the_contract_says(reason: Reason) -> None:
    documented = re.fullmatch(r".* \[([A-Z_]+)\]", COMMENTS[reason])
    assert documented, f"errors.proto gives no code for {reason}"
    assert error(reason).code.name == documented[1]


def test_an_unspecified_reason_is_the_base_class() -> None:
    assert type(error(Reason.UNSPECIFIED)) is NumbatchError


def test_our_codes_are_those_of_grpc() -> None:
    theirs = {status.name: status.value[0] for status in grpc.StatusCode}
    assert {code.name: code.value for code in Code}.items() <= theirs.items()


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.UNKNOWN])
def test_every_code_has_a_class_of_its_own_even_without_a_reason(code: Code) -> None:
    assert error_class(Reason.UNSPECIFIED, code) is not NumbatchError
