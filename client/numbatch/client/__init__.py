"""The callers of a numbatch server: `Client`, and `AsyncClient` for asyncio.

>>> from numbatch.client import Client
>>> with Client("127.0.0.1:8001") as client:           # doctest: +SKIP
...     probabilities = client.infer("digits", images)

It needs grpcio, protobuf and numpy, and nothing else.
"""

from numbatch.client._security import Tls
from numbatch.client.aio import AsyncClient
from numbatch.client.sync import Client
from numbatch.wire.errors import (
    AccessDeniedError,
    CorruptModelError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
    InvalidModelError,
    MessageTooLargeError,
    ModelError,
    NotFoundError,
    NumbatchError,
    OverloadedError,
    RequestCancelledError,
    RequestError,
    ServiceError,
    UnauthenticatedError,
    UnavailableError,
    UnsupportedError,
)
from numbatch.wire.reasons import Reason

__all__ = [
    "AccessDeniedError",
    "AsyncClient",
    "Client",
    "CorruptModelError",
    "DeadlineExceededError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidModelError",
    "MessageTooLargeError",
    "ModelError",
    "NotFoundError",
    "NumbatchError",
    "OverloadedError",
    "Reason",
    "RequestCancelledError",
    "RequestError",
    "ServiceError",
    "Tls",
    "UnauthenticatedError",
    "UnavailableError",
    "UnsupportedError",
]
