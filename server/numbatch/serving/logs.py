"""The form of the log: lines for people, or JSON lines for programs.

A message names its fields: `_log.info("loaded model=%(model)s", {"model": name})`. People read the text; in JSON each
field is a key of its own beside it.
"""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

_GRPC = "grpc._cython.cygrpc"

# What callers send appears in messages: a line break in it must not look like a line of the log.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {10: "\\n", 13: "\\r", 9: "\\t"}


def configure_logs(level: str, form: str) -> None:
    """Log to standard error, unless the process has a log already."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger(_GRPC).addFilter(is_told)


def is_told(record: logging.LogRecord) -> bool:
    """Return whether a record of gRPC's tells of anything: where a caller goes away while it is answered, it does not.

    gRPC logs an error with a stack if it has not heard of the end of the call when the answer cannot be sent. The log
    of requests has the request already.
    """
    return record.exc_info is None or getattr(record.exc_info[0], "__name__", "") != "ExecuteBatchError"


class TextFormatter(logging.Formatter):
    """Writes a record as a line, and the stack of an exception after it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return super().formatMessage(record).translate(_CONTROL)


class JsonFormatter(logging.Formatter):
    """Writes a record as a JSON object on one line.

    Its keys: `time` (RFC 3339, UTC), `level`, `logger`, `message`; the fields that the message names; `exception` with
    the stack.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if isinstance(record.args, Mapping):
            line |= {str(name): value for name, value in record.args.items() if name not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def number_log_lines(worker: int) -> None:
    """Let every line say which worker wrote it, as the first of its fields."""
    make_record = logging.getLogRecordFactory()

    def numbered(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        if isinstance(record.args, Mapping):
            record.msg, record.args = f"worker=%(worker)d {record.msg}", {"worker": worker, **record.args}
        else:
            record.msg = f"worker={worker} {record.msg}"
        return record

    logging.setLogRecordFactory(numbered)
