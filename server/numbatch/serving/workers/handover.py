"""What goes from the supervisor to a worker, and back, as JSON: the configuration, what is told, why it failed."""

from base64 import b64decode, b64encode
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

from numbatch.serving.config import ServerConfig
from numbatch.serving.info import ServerInfo
from numbatch.v1.repository_pb2 import ModelStatus
from numbatch.wire.errors import NumbatchError, error
from numbatch.wire.reasons import Reason


def config_to_json(config: ServerConfig) -> dict[str, Any]:
    """Return a configuration as JSON has it."""
    values = {field.name: getattr(config, field.name) for field in fields(config)}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}


def config_from_json(values: dict[str, Any]) -> ServerConfig:
    """Return the configuration that became this JSON."""
    hints = get_type_hints(ServerConfig)
    paths = {name for name, value in values.items() if value is not None and Path in get_args(hints[name])}
    typed: dict[str, Any] = {name: Path(value) if name in paths else value for name, value in values.items()}
    return ServerConfig(**typed)


def info_to_json(info: ServerInfo) -> dict[str, Any]:
    """Return what is told of a server as JSON has it."""
    models = [b64encode(status.SerializeToString()).decode() for status in info.models]
    return {"address": info.address, "http_address": info.http_address, "models": models}


def info_from_json(values: dict[str, Any]) -> ServerInfo:
    """Return what is told of the server that became this JSON."""
    models = tuple(ModelStatus.FromString(b64decode(status)) for status in values["models"])
    return ServerInfo(values["address"], models, values["http_address"])


def failure_to_json(failure: BaseException) -> dict[str, Any]:
    """Return why a worker cannot start as JSON has it."""
    if isinstance(failure, NumbatchError):
        return {"reason": str(failure.reason), "message": failure.message}
    if isinstance(failure, OSError):
        return {"errno": failure.errno, "message": failure.strerror or str(failure), "file": failure.filename}
    return {"reason": str(Reason.INTERNAL), "message": f"{type(failure).__name__}: {failure}"}


def failure_from_json(values: dict[str, Any]) -> Exception:
    """Return an exception that ends the supervisor as the worker's would have ended a server without one."""
    if "reason" in values:
        return error(Reason(values["reason"]), values["message"])
    if values["errno"] is None:
        return OSError(values["message"])
    return OSError(values["errno"], values["message"], *([values["file"]] if values["file"] else []))
