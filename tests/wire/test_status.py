"""Errors over the wire: the same class with the same content at the other end, and google.rpc reads it too."""

import pytest
from google.protobuf.any_pb2 import Any
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from numbatch.v1.errors_pb2 import ErrorInfo, Status
from numbatch.wire.errors import NumbatchError, UnavailableError, error
from numbatch.wire.reasons import Code, Reason
from numbatch.wire.status import STATUS_DETAILS_KEY, from_status, to_status

each_reason = pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.UNSPECIFIED])


def full_error(reason: Reason) -> NumbatchError:
    raised = error(reason, "a problem", field="inputs[0].shape", got="[3]", expected="[..., 10]")
    raised.about(model="digits", version=3, request_id="r7").retry_delay_s = 0.25
    return raised


@each_reason
def test_every_error_arrives_as_it_was_raised(reason: Reason) -> None:
    raised = full_error(reason)
    arrived = from_status(Status.FromString(to_status(raised).SerializeToString()))
    assert type(arrived) is type(raised)
    assert vars(arrived) == vars(raised)


def test_an_error_with_nothing_but_a_reason_arrives_so() -> None:
    arrived = from_status(to_status(error(Reason.SERVER_DRAINING)))
    assert vars(arrived) == vars(error(Reason.SERVER_DRAINING))


@each_reason
def test_google_rpc_reads_our_status(reason: Reason) -> None:
    raised = full_error(reason)
    status = status_pb2.Status.FromString(to_status(raised).SerializeToString())
    info, fields, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    assert [detail.Unpack(message) for detail, message in zip(status.details, (info, fields, retry), strict=True)]

    assert code_pb2.Code.Name(status.code) == raised.code.name
    assert status.message == raised.message
    assert info == error_details_pb2.ErrorInfo(
        reason=reason,
        domain="numbatch",
        metadata={
            "field": "inputs[0].shape",
            "got": "[3]",
            "expected": "[..., 10]",
            "model": "digits",
            "version": "3",
            "request_id": "r7",
        },
    )
    assert [(v.field, v.description) for v in fields.field_violations] == [("inputs[0].shape", raised.message)]
    assert retry.retry_delay.ToMilliseconds() == 250


def test_we_read_the_status_of_google_rpc() -> None:
    info = Any()
    info.Pack(error_details_pb2.ErrorInfo(reason="MODEL_NOT_READY", domain="numbatch", metadata={"model": "digits"}))
    status = status_pb2.Status(code=code_pb2.UNAVAILABLE, message="loading", details=[info])
    arrived = from_status(Status.FromString(status.SerializeToString()))
    assert isinstance(arrived, UnavailableError)
    assert (arrived.reason, arrived.model) == (Reason.MODEL_NOT_READY, "digits")


def test_grpc_status_uses_the_same_metadata_key() -> None:
    trailing = rpc_status.to_status(status_pb2.Status(code=3)).trailing_metadata
    assert [key for key, _ in trailing] == [STATUS_DETAILS_KEY]


GOOGLE = "type.googleapis.com/google.rpc."


def info(reason: str, domain: str, **metadata: str) -> Any:
    message = ErrorInfo(reason=reason, domain=domain, metadata=metadata)
    return Any(type_url=GOOGLE + "ErrorInfo", value=message.SerializeToString())


FOREIGN_DETAILS = {
    "none": [],
    "of another domain": [info("SHAPE_MISMATCH", "example.org", model="theirs")],
    "a reason of later": [info("NOT_INVENTED_YET", "numbatch", model="ours")],
    "not a message": [Any(type_url=GOOGLE + "ErrorInfo", value=b"\xff")],
    "of unknown type": [Any(type_url="example.org/Thing", value=b"\x08\x01")],
}


@pytest.mark.parametrize("details", FOREIGN_DETAILS.values(), ids=FOREIGN_DETAILS.keys())
def test_foreign_details_leave_the_code_and_the_message(details: list[Any]) -> None:
    arrived = from_status(Status(code=Code.UNAVAILABLE, message="busy", details=details))
    assert type(arrived) is UnavailableError
    assert vars(arrived) == vars(UnavailableError(Reason.UNSPECIFIED, "busy"))


@pytest.mark.parametrize("version", ["", "two", "-1", "²", "9" * 5000])
def test_a_version_that_is_none_is_left_out(version: str) -> None:
    details = [info("EMPTY_BATCH", "numbatch", version=version)]
    assert from_status(Status(code=Code.INVALID_ARGUMENT, details=details)).version == 0
