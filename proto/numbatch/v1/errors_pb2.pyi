import datetime

from google.protobuf import any_pb2 as _any_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_MALFORMED_MESSAGE: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_FIELD: _ClassVar[ErrorReason]
    ERROR_REASON_MISSING_INPUT: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_INPUT: _ClassVar[ErrorReason]
    ERROR_REASON_DUPLICATE_INPUT: _ClassVar[ErrorReason]
    ERROR_REASON_DATA_TYPE_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_SHAPE_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_BYTE_COUNT_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_EMPTY_BATCH: _ClassVar[ErrorReason]
    ERROR_REASON_UNKNOWN_LAYER: _ClassVar[ErrorReason]
    ERROR_REASON_DUPLICATE_LAYER: _ClassVar[ErrorReason]
    ERROR_REASON_MESSAGE_TOO_LARGE: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_VERSION_NOT_FOUND: _ClassVar[ErrorReason]
    ERROR_REASON_INDEX_OUT_OF_RANGE: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_CORRUPT: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_CYCLE: _ClassVar[ErrorReason]
    ERROR_REASON_LAYER_UNSUPPORTED: _ClassVar[ErrorReason]
    ERROR_REASON_ACTIVATION_UNSUPPORTED: _ClassVar[ErrorReason]
    ERROR_REASON_FEATURE_UNSUPPORTED: _ClassVar[ErrorReason]
    ERROR_REASON_NUMERIC_CONTRACT_UNSUPPORTED: _ClassVar[ErrorReason]
    ERROR_REASON_WEIGHTS_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_WEIGHTS_NOT_FINITE: _ClassVar[ErrorReason]
    ERROR_REASON_WEIGHTS_CORRUPT: _ClassVar[ErrorReason]
    ERROR_REASON_WEIGHTS_OUTSIDE_MODEL: _ClassVar[ErrorReason]
    ERROR_REASON_MODEL_NOT_READY: _ClassVar[ErrorReason]
    ERROR_REASON_SERVER_DRAINING: _ClassVar[ErrorReason]
    ERROR_REASON_SERVER_UNREACHABLE: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_EXCEEDED: _ClassVar[ErrorReason]
    ERROR_REASON_CANCELLED: _ClassVar[ErrorReason]
    ERROR_REASON_SERVER_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_MEMORY_LIMIT: _ClassVar[ErrorReason]
    ERROR_REASON_STREAM_STALLED: _ClassVar[ErrorReason]
    ERROR_REASON_UNAUTHENTICATED: _ClassVar[ErrorReason]
    ERROR_REASON_PERMISSION_DENIED: _ClassVar[ErrorReason]
    ERROR_REASON_INTERNAL: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_MALFORMED_MESSAGE: ErrorReason
ERROR_REASON_INVALID_FIELD: ErrorReason
ERROR_REASON_MISSING_INPUT: ErrorReason
ERROR_REASON_UNKNOWN_INPUT: ErrorReason
ERROR_REASON_DUPLICATE_INPUT: ErrorReason
ERROR_REASON_DATA_TYPE_MISMATCH: ErrorReason
ERROR_REASON_SHAPE_MISMATCH: ErrorReason
ERROR_REASON_BYTE_COUNT_MISMATCH: ErrorReason
ERROR_REASON_EMPTY_BATCH: ErrorReason
ERROR_REASON_UNKNOWN_LAYER: ErrorReason
ERROR_REASON_DUPLICATE_LAYER: ErrorReason
ERROR_REASON_MESSAGE_TOO_LARGE: ErrorReason
ERROR_REASON_MODEL_NOT_FOUND: ErrorReason
ERROR_REASON_VERSION_NOT_FOUND: ErrorReason
ERROR_REASON_INDEX_OUT_OF_RANGE: ErrorReason
ERROR_REASON_MODEL_CORRUPT: ErrorReason
ERROR_REASON_MODEL_INVALID: ErrorReason
ERROR_REASON_MODEL_CYCLE: ErrorReason
ERROR_REASON_LAYER_UNSUPPORTED: ErrorReason
ERROR_REASON_ACTIVATION_UNSUPPORTED: ErrorReason
ERROR_REASON_FEATURE_UNSUPPORTED: ErrorReason
ERROR_REASON_NUMERIC_CONTRACT_UNSUPPORTED: ErrorReason
ERROR_REASON_WEIGHTS_MISMATCH: ErrorReason
ERROR_REASON_WEIGHTS_NOT_FINITE: ErrorReason
ERROR_REASON_WEIGHTS_CORRUPT: ErrorReason
ERROR_REASON_WEIGHTS_OUTSIDE_MODEL: ErrorReason
ERROR_REASON_MODEL_NOT_READY: ErrorReason
ERROR_REASON_SERVER_DRAINING: ErrorReason
ERROR_REASON_SERVER_UNREACHABLE: ErrorReason
ERROR_REASON_DEADLINE_EXCEEDED: ErrorReason
ERROR_REASON_CANCELLED: ErrorReason
ERROR_REASON_SERVER_OVERLOADED: ErrorReason
ERROR_REASON_MEMORY_LIMIT: ErrorReason
ERROR_REASON_STREAM_STALLED: ErrorReason
ERROR_REASON_UNAUTHENTICATED: ErrorReason
ERROR_REASON_PERMISSION_DENIED: ErrorReason
ERROR_REASON_INTERNAL: ErrorReason

class Status(_message.Message):
    __slots__ = ("code", "message", "details")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    details: _containers.RepeatedCompositeFieldContainer[_any_pb2.Any]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., details: _Optional[_Iterable[_Union[_any_pb2.Any, _Mapping]]] = ...) -> None: ...

class ErrorInfo(_message.Message):
    __slots__ = ("reason", "domain", "metadata")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REASON_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    reason: str
    domain: str
    metadata: _containers.ScalarMap[str, str]
    def __init__(self, reason: _Optional[str] = ..., domain: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ...) -> None: ...

class BadRequest(_message.Message):
    __slots__ = ("field_violations",)
    class FieldViolation(_message.Message):
        __slots__ = ("field", "description")
        FIELD_FIELD_NUMBER: _ClassVar[int]
        DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
        field: str
        description: str
        def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...
    FIELD_VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    field_violations: _containers.RepeatedCompositeFieldContainer[BadRequest.FieldViolation]
    def __init__(self, field_violations: _Optional[_Iterable[_Union[BadRequest.FieldViolation, _Mapping]]] = ...) -> None: ...

class RetryInfo(_message.Message):
    __slots__ = ("retry_delay",)
    RETRY_DELAY_FIELD_NUMBER: _ClassVar[int]
    retry_delay: _duration_pb2.Duration
    def __init__(self, retry_delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
