"""`numbatch serve`."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from numbatch.cli.options import json_option, state_name
from numbatch.serving.config import LOG_LEVELS, ServerConfig
from numbatch.v1.repository_pb2 import MODEL_STATE_READY
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.precision import WEIGHTS_PRECISIONS

if TYPE_CHECKING:
    from numbatch.serving.app import ServerInfo

Callback = Callable[..., None]

_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(ServerConfig)}


def _option(name: str, **settings: Any) -> Callable[[Callback], Callback]:
    """Return the option that sets a field of ServerConfig, with the field's default."""
    flag = "--" + name.replace("_", "-")
    shown = _DEFAULTS[name] is not None
    return click.option(flag, name, default=_DEFAULTS[name], show_default=shown, **settings)


@click.command()
@_option(
    "model_repository",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The folder to load models from, DIR/NAME/VERSION/model.binpb. Without it the server starts empty, and models "
    "are loaded from messages.",
)
@_option("listen", metavar="HOST:PORT", help="Where to listen. Port 0: a free one. 0.0.0.0: on every interface.")
@_option(
    "weights_precision",
    type=click.Choice(WEIGHTS_PRECISIONS),
    help="How the weights of models from the repository are kept. bf16 rounds them, for half the memory; "
    "`numbatch model compare` shows what that does to a model's outputs.",
)
@_option(
    "compute_threads",
    type=int,
    metavar="N",
    help="How many threads work on a large batch. Without it: as many as there are processors for the process.",
)
@_option(
    "max_message_bytes", type=int, metavar="N", help="The largest message, in bytes. Clients have a limit as well."
)
@_option("stream_window", type=int, metavar="N", help="How many requests of one stream are read ahead.")
@_option(
    "shutdown_grace_s",
    type=float,
    metavar="SECONDS",
    help="How long requests in progress may take to finish when the server is asked to stop.",
)
@_option("log_level", type=click.Choice(LOG_LEVELS), help="How much to log.")
@json_option
def serve(json_wanted: bool, **options: Any) -> None:
    """Serve a model repository over gRPC.

    Every model in the repository is loaded, the newest version being the one that answers by default, compiled and
    warmed up; only then the server says that it is ready: one line on standard output. A model that cannot be loaded
    is listed with its reason and harms no other. Logs go to standard error. SIGTERM and Ctrl-C let requests in
    progress finish.

    \b
    Examples:
      numbatch serve --model-repository models
      numbatch serve --model-repository models --listen 0.0.0.0:8001
      numbatch serve --model-repository models --weights-precision bf16
      numbatch serve --listen 127.0.0.1:0 --json    # a free port, told in the line
    """  # noqa: D301
    try:
        config = ServerConfig(**options)
    except InvalidArgumentError as wrong:
        raise click.UsageError(wrong.message, click.get_current_context()) from wrong
    # Only now: it takes a second to import, and --help does not need it.
    from numbatch.serving.app import serve as serve_until_stopped

    serve_until_stopped(config, on_ready=_announce_as_json if json_wanted else _announce)


def _announce(info: "ServerInfo") -> None:
    ready = sum(status.state == MODEL_STATE_READY for status in info.models)
    failed = len(info.models) - ready
    models = f"{ready} model" if ready == 1 else f"{ready} models"
    click.echo(f"numbatch ready on {info.address} ({models}" + (f", {failed} failed)" if failed else ")"))


def _announce_as_json(info: "ServerInfo") -> None:
    models = [
        {
            "name": status.model_name,
            "version": status.model_version,
            "state": state_name(status.state),
            "reason": status.reason,
            "default_version": status.default_version,
        }
        for status in info.models
    ]
    click.echo(json.dumps({"event": "ready", "address": info.address, "models": models}))
