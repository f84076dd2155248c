"""The exceptions of numbatch, the same on both sides of the wire.

They are sorted by who must act::

    NumbatchError
    ├── RequestError                the caller: change the request
    │   ├── InvalidArgumentError    INVALID_ARGUMENT
    │   ├── MessageTooLargeError    RESOURCE_EXHAUSTED
    │   └── NotFoundError           NOT_FOUND
    ├── ModelError                  whoever made the model: change the model
    │   ├── InvalidModelError       INVALID_ARGUMENT
    │   ├── CorruptModelError       FAILED_PRECONDITION
    │   └── UnsupportedError        UNIMPLEMENTED
    ├── ServiceError                the operator, or time: the same request may succeed later
    │   ├── UnavailableError        UNAVAILABLE
    │   ├── OverloadedError         RESOURCE_EXHAUSTED
    │   ├── DeadlineExceededError   DEADLINE_EXCEEDED
    │   ├── AccessDeniedError       PERMISSION_DENIED
    │   │   └── UnauthenticatedError    UNAUTHENTICATED
    │   └── RequestCancelledError   CANCELLED
    └── InternalError               a programmer of numbatch: please report it   INTERNAL

A server raises ``error(Reason.SHAPE_MISMATCH, field="inputs[0].shape", ...)``; the reason decides the class, the class
the code; `numbatch.wire.status` carries it over the wire, and the client raises the same class with the same reason.
"""

from typing import ClassVar, Self

from numbatch.wire.reasons import Code, Reason


class NumbatchError(Exception):
    """Something failed, for a reason that programs can act on.

    Attributes
    ----------
    reason : Reason
        Why. Stable between releases; the text is not.
    message : str
        One sentence for people: the field, what came, what was expected.
    field : str
        The path of the field that was wrong ("inputs[0].shape"), or "".
    got, expected : str
        What came and what should have, or "".
    model : str
        The model concerned, or "".
    version : int
        Its version, or 0.
    request_id : str
        The request concerned, or "".
    retry_delay_s : float or None
        Wait so many seconds before the next try, if the server said so.
    """

    code: ClassVar[Code] = Code.UNKNOWN

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        field: str = "",
        got: str = "",
        expected: str = "",
        model: str = "",
        version: int = 0,
        request_id: str = "",
        retry_delay_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.field = field
        self.got = got
        self.expected = expected
        self.model = model
        self.version = version
        self.request_id = request_id
        self.retry_delay_s = retry_delay_s

    def about(self, *, model: str = "", version: int = 0, request_id: str = "") -> Self:
        """Fill in what the error concerns, where it does not say so already, and return the error."""
        self.model = self.model or model
        self.version = self.version or version
        self.request_id = self.request_id or request_id
        return self

    def __str__(self) -> str:
        about = [f"model {self.model!r}"] if self.model else []
        about += [f"version {self.version}"] if self.version else []
        about += [f"request {self.request_id!r}"] if self.request_id else []
        about += [str(self.reason)] if self.reason is not Reason.UNSPECIFIED else [self.code.name]
        return f"{self.message} ({', '.join(about)})"


class RequestError(NumbatchError):
    """The request is wrong: the caller must change it."""


class InvalidArgumentError(RequestError):
    """A field of the request is wrong; `field`, `got` and `expected` say which and how."""

    code = Code.INVALID_ARGUMENT


class MessageTooLargeError(RequestError):
    """A message is over the limit: send fewer rows at once, or raise the limit on both sides."""

    code = Code.RESOURCE_EXHAUSTED


class NotFoundError(RequestError):
    """The server has no such model or version."""

    code = Code.NOT_FOUND


class ModelError(NumbatchError):
    """The model is wrong: whoever made it must change it."""


class InvalidModelError(ModelError):
    """The model's description contradicts itself; `field` says where."""

    code = Code.INVALID_ARGUMENT


class CorruptModelError(ModelError):
    """A file of the model is missing or damaged."""

    code = Code.FAILED_PRECONDITION


class UnsupportedError(ModelError):
    """The model is right, but uses what this version of numbatch does not serve."""

    code = Code.UNIMPLEMENTED


class ServiceError(NumbatchError):
    """The service cannot answer now: the operator must act, or the caller try later."""


class UnavailableError(ServiceError):
    """The server cannot be reached, is shutting down, or the model is not ready."""

    code = Code.UNAVAILABLE


class OverloadedError(ServiceError):
    """The server refused work to protect itself."""

    code = Code.RESOURCE_EXHAUSTED


class DeadlineExceededError(ServiceError):
    """No answer came in time."""

    code = Code.DEADLINE_EXCEEDED


class AccessDeniedError(ServiceError):
    """The server, or a proxy before it, does not let the caller in."""

    code = Code.PERMISSION_DENIED


class UnauthenticatedError(AccessDeniedError):
    """The server does not know the caller: it brought no token, or a wrong one."""

    code = Code.UNAUTHENTICATED


class RequestCancelledError(ServiceError):
    """The request was cancelled before it was answered."""

    code = Code.CANCELLED


class InternalError(NumbatchError):
    """A bug of numbatch: please report it."""

    code = Code.INTERNAL


_CLASSES: dict[Reason, type[NumbatchError]] = {
    Reason.UNSPECIFIED: NumbatchError,
    Reason.MALFORMED_MESSAGE: InvalidArgumentError,
    Reason.INVALID_FIELD: InvalidArgumentError,
    Reason.MISSING_INPUT: InvalidArgumentError,
    Reason.UNKNOWN_INPUT: InvalidArgumentError,
    Reason.DUPLICATE_INPUT: InvalidArgumentError,
    Reason.DATA_TYPE_MISMATCH: InvalidArgumentError,
    Reason.SHAPE_MISMATCH: InvalidArgumentError,
    Reason.BYTE_COUNT_MISMATCH: InvalidArgumentError,
    Reason.EMPTY_BATCH: InvalidArgumentError,
    Reason.UNKNOWN_LAYER: InvalidArgumentError,
    Reason.DUPLICATE_LAYER: InvalidArgumentError,
    Reason.MESSAGE_TOO_LARGE: MessageTooLargeError,
    Reason.MODEL_NOT_FOUND: NotFoundError,
    Reason.VERSION_NOT_FOUND: NotFoundError,
    Reason.INDEX_OUT_OF_RANGE: InvalidArgumentError,
    Reason.MODEL_CORRUPT: CorruptModelError,
    Reason.MODEL_INVALID: InvalidModelError,
    Reason.MODEL_CYCLE: InvalidModelError,
    Reason.LAYER_UNSUPPORTED: UnsupportedError,
    Reason.ACTIVATION_UNSUPPORTED: UnsupportedError,
    Reason.FEATURE_UNSUPPORTED: UnsupportedError,
    Reason.NUMERIC_CONTRACT_UNSUPPORTED: UnsupportedError,
    Reason.WEIGHTS_MISMATCH: InvalidModelError,
    Reason.WEIGHTS_NOT_FINITE: InvalidModelError,
    Reason.WEIGHTS_CORRUPT: CorruptModelError,
    Reason.WEIGHTS_OUTSIDE_MODEL: InvalidModelError,
    Reason.MODEL_NOT_READY: UnavailableError,
    Reason.SERVER_DRAINING: UnavailableError,
    Reason.SERVER_UNREACHABLE: UnavailableError,
    Reason.DEADLINE_EXCEEDED: DeadlineExceededError,
    Reason.CANCELLED: RequestCancelledError,
    Reason.SERVER_OVERLOADED: OverloadedError,
    Reason.MEMORY_LIMIT: OverloadedError,
    Reason.STREAM_STALLED: OverloadedError,
    Reason.UNAUTHENTICATED: UnauthenticatedError,
    Reason.PERMISSION_DENIED: AccessDeniedError,
    Reason.INTERNAL: InternalError,
}

# For errors without a reason of ours: from gRPC itself, a proxy, or a newer server.
_CLASSES_BY_CODE: dict[int, type[NumbatchError]] = {
    Code.CANCELLED: RequestCancelledError,
    Code.INVALID_ARGUMENT: InvalidArgumentError,
    Code.DEADLINE_EXCEEDED: DeadlineExceededError,
    Code.NOT_FOUND: NotFoundError,
    Code.PERMISSION_DENIED: AccessDeniedError,
    Code.RESOURCE_EXHAUSTED: OverloadedError,
    Code.FAILED_PRECONDITION: CorruptModelError,
    Code.UNIMPLEMENTED: UnsupportedError,
    Code.INTERNAL: InternalError,
    Code.UNAVAILABLE: UnavailableError,
    Code.UNAUTHENTICATED: UnauthenticatedError,
}


def error_class(reason: Reason, code: int = Code.UNKNOWN) -> type[NumbatchError]:
    """Return the class of an error with this reason, or, where there is none, with this code."""
    if reason is not Reason.UNSPECIFIED:
        return _CLASSES[reason]
    return _CLASSES_BY_CODE.get(code, NumbatchError)


def error(
    reason: Reason,
    problem: str = "",
    *,
    field: str = "",
    got: object = "",
    expected: object = "",
    hint: str = "",
    retry_delay_s: float | None = None,
) -> NumbatchError:
    """Make the error for a reason, its message written in the one form that all of them share.

    Parameters
    ----------
    reason : Reason
        Why; it decides the class.
    problem : str
        What is wrong, in a few words.
    field : str
        The path of the field that is wrong.
    got, expected : object
        What came and what should have.
    hint : str
        What to do about it.
    retry_delay_s : float, optional
        Wait so many seconds before the next try.

    Returns
    -------
    NumbatchError
        With the message "field: problem: got ..., expected ...; hint", as far as given.
    """
    got, expected = str(got), str(expected)
    comparison = ", ".join(
        part for part in (f"got {got}" if got else "", f"expected {expected}" if expected else "") if part
    )
    message = ": ".join(part for part in (field, problem, comparison) if part)
    message = "; ".join(part for part in (message, hint) if part)
    return error_class(reason)(reason, message, field=field, got=got, expected=expected, retry_delay_s=retry_delay_s)
