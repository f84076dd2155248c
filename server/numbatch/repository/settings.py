"""How one model is served: the `settings.txtpb` beside its versions -> what the server works with."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from google.protobuf import text_format

from numbatch.repository.policy import All, Latest, Specific, VersionPolicy
from numbatch.v1.settings_pb2 import BatchingSettings as BatchingMessage
from numbatch.v1.settings_pb2 import ModelSettings as SettingsMessage
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.precision import WEIGHTS_PRECISIONS, precision_name
from numbatch.wire.reasons import Reason

SETTINGS_FILE = "settings.txtpb"

# Nobody writes so much by hand.
_MOST_BYTES = 1024 * 1024
_MOST_WARM_UPS = 32

_RANGES = {
    "max_batch_size": (1, 2**20),
    "max_queue_delay_us": (0, 10_000_000),
    "max_queued_rows": (1, 2**63 - 1),
    "max_queued_bytes": (1, 2**63 - 1),
    "max_in_flight": (1, 2**31 - 1),
    "count": (0, 2**31 - 1),
    "versions": (1, 10**18 - 1),
    "batch_sizes": (1, 65536),
}


@dataclass(frozen=True, slots=True)
class BatchingSettings:
    """Limits for the batches of one model; None: as the server was told. `settings.proto` describes them."""

    max_batch_size: int | None = None
    max_queue_delay_us: int | None = None
    max_queued_rows: int | None = None
    max_queued_bytes: int | None = None
    max_in_flight: int | None = None


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """How one model is served.

    Attributes
    ----------
    version_policy : VersionPolicy or None
        Which versions are served. None: as the server was told.
    batching : BatchingSettings
        Limits for its batches.
    weights_precision : str
        "f32" or "bf16"; "": as the server was told.
    warm_up : tuple of int
        Rows of the batches that are run before a version is ready.
    """

    version_policy: VersionPolicy | None = None
    batching: BatchingSettings = BatchingSettings()
    weights_precision: str = ""
    warm_up: tuple[int, ...] = ()


DEFAULTS = ModelSettings()


def read_settings(folder: Path, root: Path) -> ModelSettings:
    """Read the settings of the model in a folder of a repository; without a file, those of the server.

    Raises
    ------
    InvalidModelError
        MODEL_INVALID, with the file, the line and what was expected.
    """
    file = folder / SETTINGS_FILE
    shown = f"{folder.name}/{SETTINGS_FILE}"
    if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(root)):
        raise error(Reason.MODEL_INVALID, f"{shown} leads out of the model repository")
    if file.exists() and not file.is_file():  # to open a pipe would be to wait for whoever writes into it
        raise error(Reason.MODEL_INVALID, f"{shown} is no file")
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return DEFAULTS
    except OSError as unreadable:
        raise error(Reason.MODEL_INVALID, f"{shown} cannot be read", got=unreadable.strerror) from unreadable
    if len(data) > _MOST_BYTES:
        raise error(Reason.MODEL_INVALID, f"{shown} is too long", expected=f"at most {_MOST_BYTES} bytes")
    try:
        text = data.decode()
        message = text_format.Parse(text, SettingsMessage())
    except UnicodeDecodeError as binary:
        raise error(
            Reason.MODEL_INVALID, f"{shown} is no text", expected="numbatch.v1.ModelSettings as text"
        ) from binary
    except text_format.ParseError as malformed:
        line, problem = _parts(malformed)
        raise error(
            Reason.MODEL_INVALID, problem, field=f"{shown}:{line}", expected="numbatch.v1.ModelSettings as text"
        ) from malformed
    return _checked(message, lambda name, value: f"{shown}:{_line(text, name, value)}: {name}")


def _checked(message: SettingsMessage, place: Callable[[str, object], str]) -> ModelSettings:
    """Return the settings of a message whose values are in their ranges; `place` says where a value was written."""
    for name, value in _numbers(message):
        least, most = _RANGES[name]
        if not least <= value <= most:
            raise _wrong(place(name, value), value, f"{least} to {most}" if most < 10**17 else f"{least} or more")
    policy = _policy(message, place)
    precision = precision_name(message.weights_precision)
    if precision and precision not in WEIGHTS_PRECISIONS:
        got = message.weights_precision
        raise _wrong(place("weights_precision", got), got, " or ".join(WEIGHTS_PRECISIONS))
    warm_up = tuple(message.warm_up.batch_sizes)
    if len(warm_up) > _MOST_WARM_UPS:
        raise _wrong(place("batch_sizes", ""), f"{len(warm_up)} batches", f"at most {_MOST_WARM_UPS}")
    return ModelSettings(policy, _batching(message.batching), precision, warm_up)


def _numbers(message: SettingsMessage) -> Iterator[tuple[str, int]]:
    """Give every number that was written, by the name of its field."""
    for field, value in message.batching.ListFields():
        yield field.name, value
    if message.version_policy.WhichOneof("choice") == "latest":
        yield "count", message.version_policy.latest.count
    for version in message.version_policy.specific.versions:
        yield "versions", version
    for rows in message.warm_up.batch_sizes:
        yield "batch_sizes", rows


def _policy(message: SettingsMessage, place: Callable[[str, object], str]) -> VersionPolicy | None:
    if not message.HasField("version_policy"):
        return None
    choice = message.version_policy.WhichOneof("choice")
    if choice == "latest":
        return Latest(message.version_policy.latest.count or 1)
    if choice == "all":
        return All()
    if choice is None:
        raise _wrong(place("version_policy", ""), "none", "latest, all or specific")
    versions = tuple(sorted(set(message.version_policy.specific.versions)))
    if not versions:
        raise _wrong(place("specific", ""), "no versions", "one or more")
    return Specific(versions)


def _batching(message: BatchingMessage) -> BatchingSettings:
    names = [field.name for field in fields(BatchingSettings)]
    return BatchingSettings(**{name: getattr(message, name) for name in names if message.HasField(name)})


def _wrong(field: str, got: object, expected: str) -> NumbatchError:
    return error(Reason.MODEL_INVALID, field=field, got=got, expected=expected)


def _parts(malformed: text_format.ParseError) -> tuple[int, str]:
    """Return the line and the problem that a parser named."""
    named = re.fullmatch(r"(\d+):\d+ : (.*)", str(malformed), re.DOTALL)
    return (int(named[1]), " ".join(named[2].split()).rstrip(".")) if named else (1, " ".join(str(malformed).split()))


def _line(text: str, name: str, value: object) -> int:
    """Return the line where a field has a value, or else the first where it is named."""
    lines = text.splitlines()
    named = [number for number, line in enumerate(lines, 1) if re.search(rf"\b{name}\b", line)]
    exact = [number for number in named if re.search(rf"(?<![\w-]){re.escape(str(value))}\b", lines[number - 1])]
    return (exact or named or [1])[0]
