from numbatch.v1 import repository_pb2 as _repository_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelSettings(_message.Message):
    __slots__ = ("version_policy", "batching", "weights_precision", "warm_up")
    VERSION_POLICY_FIELD_NUMBER: _ClassVar[int]
    BATCHING_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_PRECISION_FIELD_NUMBER: _ClassVar[int]
    WARM_UP_FIELD_NUMBER: _ClassVar[int]
    version_policy: VersionPolicy
    batching: BatchingSettings
    weights_precision: _repository_pb2.WeightsPrecision
    warm_up: WarmUp
    def __init__(self, version_policy: _Optional[_Union[VersionPolicy, _Mapping]] = ..., batching: _Optional[_Union[BatchingSettings, _Mapping]] = ..., weights_precision: _Optional[_Union[_repository_pb2.WeightsPrecision, str]] = ..., warm_up: _Optional[_Union[WarmUp, _Mapping]] = ...) -> None: ...

class VersionPolicy(_message.Message):
    __slots__ = ("latest", "all", "specific")
    LATEST_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    SPECIFIC_FIELD_NUMBER: _ClassVar[int]
    latest: LatestVersions
    all: AllVersions
    specific: SpecificVersions
    def __init__(self, latest: _Optional[_Union[LatestVersions, _Mapping]] = ..., all: _Optional[_Union[AllVersions, _Mapping]] = ..., specific: _Optional[_Union[SpecificVersions, _Mapping]] = ...) -> None: ...

class LatestVersions(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class AllVersions(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SpecificVersions(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, versions: _Optional[_Iterable[int]] = ...) -> None: ...

class BatchingSettings(_message.Message):
    __slots__ = ("max_batch_size", "max_queue_delay_us", "max_queued_rows", "max_queued_bytes", "max_in_flight")
    MAX_BATCH_SIZE_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUE_DELAY_US_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_ROWS_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    max_batch_size: int
    max_queue_delay_us: int
    max_queued_rows: int
    max_queued_bytes: int
    max_in_flight: int
    def __init__(self, max_batch_size: _Optional[int] = ..., max_queue_delay_us: _Optional[int] = ..., max_queued_rows: _Optional[int] = ..., max_queued_bytes: _Optional[int] = ..., max_in_flight: _Optional[int] = ...) -> None: ...

class WarmUp(_message.Message):
    __slots__ = ("batch_sizes",)
    BATCH_SIZES_FIELD_NUMBER: _ClassVar[int]
    batch_sizes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, batch_sizes: _Optional[_Iterable[int]] = ...) -> None: ...
