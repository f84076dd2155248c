"""Errors <-> `Status` messages, which on the wire are google.rpc.Status with google.rpc details."""

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError, Message

from numbatch.v1.errors_pb2 import BadRequest, ErrorInfo, RetryInfo, Status
from numbatch.wire.errors import NumbatchError, error_class
from numbatch.wire.reasons import Reason

DOMAIN = "numbatch"

# The metadata key under which gRPC carries a google.rpc.Status.
STATUS_DETAILS_KEY = "grpc-status-details-bin"

_GOOGLE_RPC = "type.googleapis.com/google.rpc."


def to_status(error: NumbatchError) -> Status:
    """Return the message that carries an error."""
    context = {
        "field": error.field,
        "got": error.got,
        "expected": error.expected,
        "model": error.model,
        "version": str(error.version) if error.version else "",
        "request_id": error.request_id,
    }
    info = ErrorInfo(reason=error.reason, domain=DOMAIN, metadata={k: v for k, v in context.items() if v})
    details: list[Message] = [info]
    if error.field:
        violation = BadRequest.FieldViolation(field=error.field, description=error.message)
        details.append(BadRequest(field_violations=[violation]))
    if error.retry_delay_s is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_delay_s * 1e9))
        details.append(RetryInfo(retry_delay=delay))
    return Status(code=error.code, message=error.message, details=[_pack(detail) for detail in details])


def from_status(status: Status) -> NumbatchError:
    """Return the error that a message carries; what is missing or unknown in it is left empty, never an error."""
    reason, context = Reason.UNSPECIFIED, dict[str, str]()
    retry_delay_s = None
    for detail in status.details:
        try:
            if detail.type_url == _GOOGLE_RPC + "ErrorInfo":
                info = ErrorInfo.FromString(detail.value)
                if info.domain == DOMAIN and info.reason in Reason.__members__:
                    reason, context = Reason[info.reason], dict(info.metadata)
            elif detail.type_url == _GOOGLE_RPC + "RetryInfo":
                retry_delay_s = RetryInfo.FromString(detail.value).retry_delay.ToNanoseconds() / 1e9
        except DecodeError:
            continue
    version = context.get("version", "")
    return error_class(reason, status.code)(
        reason,
        status.message,
        field=context.get("field", ""),
        got=context.get("got", ""),
        expected=context.get("expected", ""),
        model=context.get("model", ""),
        version=int(version) if version.isdecimal() and len(version) < 20 else 0,
        request_id=context.get("request_id", ""),
        retry_delay_s=retry_delay_s,
    )


def _pack(detail: Message) -> Any:
    return Any(type_url=_GOOGLE_RPC + detail.DESCRIPTOR.name, value=detail.SerializeToString())
