"""Errors: their words, their classes, and what they are about."""

import pytest

from numbatch.wire.errors import (
    AccessDeniedError,
    CorruptModelError,
    DeadlineExceededError,
    InternalError,
    InvalidArgumentError,
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
    error,
    error_class,
)
from numbatch.wire.reasons import Code, Reason

MESSAGES = [
    (
        error(Reason.SHAPE_MISMATCH, "wrong rank", field="inputs[0].shape", got="[3]", expected="[..., 10]", hint="x"),
        "inputs[0].shape: wrong rank: got [3], expected [..., 10]; x",
    ),
    (error(Reason.INVALID_FIELD, field="units", got=0, expected="1 or more"), "units: got 0, expected 1 or more"),
    (
        error(Reason.MODEL_NOT_FOUND, "no model 'digit'", hint="there is 'digits'"),
        "no model 'digit'; there is 'digits'",
    ),
    (error(Reason.INTERNAL, "it broke"), "it broke"),
]


@pytest.mark.parametrize(("raised", "message"), MESSAGES)
def test_a_message_names_the_field_what_came_and_what_was_expected(raised: NumbatchError, message: str) -> None:
    assert raised.message == message


def test_the_text_of_an_error_ends_with_what_it_is_about_and_its_reason() -> None:
    about = error(Reason.EMPTY_BATCH, "no rows").about(model="digits", version=2, request_id="r7")
    assert str(about) == "no rows (model 'digits', version 2, request 'r7', EMPTY_BATCH)"
    assert str(OverloadedError(Reason.UNSPECIFIED, "busy")) == "busy (RESOURCE_EXHAUSTED)"


def test_what_an_error_already_says_it_is_about_stays() -> None:
    inner = error(Reason.EMPTY_BATCH, "no rows").about(model="inner")
    outer = inner.about(model="outer", version=1)
    assert outer is inner
    assert (outer.model, outer.version) == ("inner", 1)


WHO_MUST_ACT = [
    (Reason.SHAPE_MISMATCH, RequestError, InvalidArgumentError),
    (Reason.MESSAGE_TOO_LARGE, RequestError, MessageTooLargeError),
    (Reason.VERSION_NOT_FOUND, RequestError, NotFoundError),
    (Reason.WEIGHTS_CORRUPT, ModelError, CorruptModelError),
    (Reason.LAYER_UNSUPPORTED, ModelError, UnsupportedError),
    (Reason.SERVER_DRAINING, ServiceError, UnavailableError),
    (Reason.DEADLINE_EXCEEDED, ServiceError, DeadlineExceededError),
    (Reason.CANCELLED, ServiceError, RequestCancelledError),
    (Reason.INTERNAL, NumbatchError, InternalError),
]


@pytest.mark.parametrize(("reason", "family", "kind"), WHO_MUST_ACT)
def test_the_reason_decides_the_class(reason: Reason, family: type[NumbatchError], kind: type[NumbatchError]) -> None:
    assert type(error(reason)) is kind
    assert issubclass(kind, family)


CODES_WITHOUT_REASON = [
    (Code.RESOURCE_EXHAUSTED, OverloadedError),
    (Code.UNAVAILABLE, UnavailableError),
    (Code.DEADLINE_EXCEEDED, DeadlineExceededError),
    (Code.UNAUTHENTICATED, UnauthenticatedError),
    (Code.PERMISSION_DENIED, AccessDeniedError),
    (Code.UNIMPLEMENTED, UnsupportedError),
    (Code.UNKNOWN, NumbatchError),
    (99, NumbatchError),  # no such code yet
]


@pytest.mark.parametrize(("code", "kind"), CODES_WITHOUT_REASON)
def test_without_a_reason_the_code_decides_the_class(code: int, kind: type[NumbatchError]) -> None:
    assert error_class(Reason.UNSPECIFIED, code) is kind
