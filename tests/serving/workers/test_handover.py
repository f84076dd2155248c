"""What goes between the supervisor and a worker as JSON."""

import errno
import json
from collections.abc import Callable
from dataclasses import Field, fields, replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from numbatch.cli.exits import describe, exit_code_of
from numbatch.serving.config import ServerConfig
from numbatch.serving.config.options import option_of
from numbatch.serving.info import ServerInfo
from numbatch.serving.workers.handover import (
    config_from_json,
    config_to_json,
    failure_from_json,
    failure_to_json,
    info_from_json,
    info_to_json,
)
from numbatch.v1.repository_pb2 import MODEL_STATE_FAILED, ModelStatus
from numbatch.wire.errors import InvalidArgumentError, error
from numbatch.wire.reasons import Reason

TEXTS = ("127.0.0.1:17", "latest:7", "some-name")


def _another_value(field: Field[Any], hint: Any) -> Any:
    """Return a value of a field that is not its default."""
    known = option_of(field)
    kinds = get_args(hint) or (hint,)
    if known.choices:
        return next(choice for choice in known.choices if choice != field.default)
    if int in kinds or float in kinds:
        candidates = [kinds[0](number) for number in (known.least or 0, known.most or 10**6) if kinds[0](number)]
        return next(number for number in candidates if number != field.default)
    if Path in kinds:
        return Path("some/where")
    allowed = (text for text in TEXTS if text != field.default and _is_allowed(text, field.name, known.check))
    return next(allowed, field.default)  # one may need what is not installed


def _is_allowed(text: str, name: str, check: Callable[[Any, str], object] | None) -> bool:
    try:
        if check is not None:
            check(text, name)
    except InvalidArgumentError:
        return False
    return True


def test_every_option_reaches_the_workers() -> None:
    hints, default = get_type_hints(ServerConfig), ServerConfig()
    config = replace(default, **{field.name: _another_value(field, hints[field.name]) for field in fields(default)})
    assert all(getattr(config, field.name) != field.default or option_of(field).check for field in fields(default))
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


def test_what_is_told_of_a_server() -> None:
    failed = ModelStatus(model_name="bad", model_version=2, state=MODEL_STATE_FAILED, reason="MODEL_INVALID: why")
    info = ServerInfo("127.0.0.1:17", (failed,), "127.0.0.1:18")
    assert info_from_json(json.loads(json.dumps(info_to_json(info)))) == info


FAILURES = {
    "a file": FileNotFoundError("model repository 'x': no such folder; create it"),
    "a port": OSError(errno.EADDRINUSE, "cannot listen on 127.0.0.1:17: the port is in use"),
    "a path": PermissionError(errno.EACCES, "Permission denied", "/models"),
    "an option": error(Reason.INVALID_FIELD, field="listen", got="x", expected="y"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_of_a_worker_ends_the_command_as_it_would_without_workers(failure: Exception) -> None:
    told = failure_from_json(json.loads(json.dumps(failure_to_json(failure))))
    assert (exit_code_of(told), describe(told)) == (exit_code_of(failure), describe(failure))


def test_a_bug_in_a_worker_is_one_of_numbatch() -> None:
    told = failure_from_json(json.loads(json.dumps(failure_to_json(ZeroDivisionError("division by zero")))))
    assert (exit_code_of(told), str(told)) == (70, "ZeroDivisionError: division by zero (INTERNAL)")
