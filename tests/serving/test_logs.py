"""The log: lines for people, JSON for programs."""

import json
import logging
import sys
from collections.abc import Mapping
from typing import Any

import pytest
from grpc._cython import cygrpc

from numbatch.serving.logs import JsonFormatter, TextFormatter, is_told


def record(message: str, fields: Mapping[str, object] | None = None, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord(
        "numbatch.some", logging.WARNING, "here.py", 1, message, (fields,) if fields else None, None
    )
    made.created = 1_767_323_045.25  # 2026-01-02 03:04:05.25 UTC
    made.__dict__.update(more)
    return made


def test_a_json_line_has_the_fields_that_the_message_names() -> None:
    line = JsonFormatter().format(
        record("loaded model=%(model)s seconds=%(seconds).1f", {"model": "a", "seconds": 0.25})
    )
    assert list(json.loads(line).items()) == [
        ("time", "2026-01-02T03:04:05.250000Z"),
        ("level", "warning"),
        ("logger", "numbatch.some"),
        ("message", "loaded model=a seconds=0.2"),
        ("model", "a"),
        ("seconds", 0.25),
    ]


def test_a_json_line_of_a_message_without_fields_has_none() -> None:
    made = record("stopped")
    assert list(json.loads(JsonFormatter().format(made))) == ["time", "level", "logger", "message"]
    made.msg, made.args = "took %d of %d", (1, 2)  # as other libraries write
    assert json.loads(JsonFormatter().format(made))["message"] == "took 1 of 2"


def test_a_field_cannot_take_the_place_of_a_key() -> None:
    line = json.loads(JsonFormatter().format(record("%(level)s", {"level": "a field's"})))
    assert (line["level"], line["message"]) == ("warning", "a field's")


def test_a_stack_is_one_field_of_a_json_line() -> None:
    try:
        raise KeyError("lost")
    except KeyError:
        line = JsonFormatter().format(record("broke", exc_info=sys.exc_info()))
    assert "\n" not in line
    exception = json.loads(line)["exception"]
    assert exception.startswith("Traceback (most recent call last):\n")
    assert exception.endswith("\nKeyError: 'lost'")


@pytest.mark.parametrize("form", [TextFormatter, JsonFormatter])
def test_what_callers_send_is_no_line_of_its_own(form: type[logging.Formatter]) -> None:
    line = form().format(record("request_id=%(request_id)s", {"request_id": "1\r\n\x1b[2J\x85"}))
    assert len(line.splitlines()) == 1
    assert not {"\n", "\r", "\x1b", "\x85"} & set(line)


def test_text_keeps_the_lines_of_a_stack() -> None:
    try:
        raise KeyError("lost")
    except KeyError:
        text = TextFormatter().format(record("broke\nhere", exc_info=sys.exc_info()))
    first, second, *_ = text.splitlines()
    assert first.endswith("WARNING numbatch.some: broke\\nhere")
    assert second == "Traceback (most recent call last):"


def test_a_caller_who_goes_away_while_it_is_answered_is_no_error_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logger = logging.getLogger("grpc._cython.cygrpc")
    logger.addFilter(is_told)
    try:
        for problem in (cygrpc.ExecuteBatchError("gone"), ValueError("a bug")):
            try:
                raise problem
            except Exception:
                logger.exception("raised by a servicer method")
    finally:
        logger.removeFilter(is_told)
    assert ["bug" in str(record.exc_info) for record in caplog.records] == [True]
