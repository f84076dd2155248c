"""`numbatch serve`."""

import json
from typing import TYPE_CHECKING, Any

import click

from numbatch.cli.options import json_option, state_name
from numbatch.cli.server_options import ServeCommand, server_options
from numbatch.serving.config import ServerConfig
from numbatch.v1.repository_pb2 import MODEL_STATE_READY
from numbatch.wire.errors import InvalidArgumentError

if TYPE_CHECKING:
    from numbatch.serving.info import ServerInfo


@click.command(cls=ServeCommand)
@server_options
@json_option
def serve(json_wanted: bool, **options: Any) -> None:
    """Serve a model repository over gRPC.

    The newest version of every model in the repository is loaded and warmed up; only then the server says that it is
    ready: one line on standard output. A model that cannot be loaded is listed with its reason and harms no other.
    How one model is served is said in DIR/NAME/settings.txtpb. Logs go to standard error. SIGTERM and Ctrl-C let
    requests in progress finish.

    \b
    Examples:
      numbatch serve --model-repository models
      numbatch serve --model-repository models --listen 0.0.0.0:8001
      numbatch serve --model digits=models/digits    # one model, in a folder of any name
      numbatch serve --model-repository models --weights-precision bf16
      numbatch serve --model-repository models --model-control poll
      numbatch serve --model-repository models --workers 0    # as many processes as there are processors
      numbatch serve --listen 127.0.0.1:0 --json    # a free port, told in the line
    """  # noqa: D301
    try:
        config = ServerConfig(**options)
    except InvalidArgumentError as wrong:
        raise click.UsageError(wrong.message, click.get_current_context()) from wrong
    announce = _announce_as_json if json_wanted else _announce
    if config.workers != 1:
        from numbatch.serving.workers.supervisor import supervise

        supervise(config, on_ready=announce)
    else:
        # Only now: it takes a second to import, and --help does not need it.
        from numbatch.serving.app import serve as serve_until_stopped

        serve_until_stopped(config, on_ready=announce)


def _announce(info: "ServerInfo") -> None:
    ready = sum(status.state == MODEL_STATE_READY for status in info.models)
    failed = len(info.models) - ready
    models = f"{ready} model" if ready == 1 else f"{ready} models"
    models += f", {failed} failed" if failed else ""
    http = f"; http on {info.http_address}" if info.http_address else ""
    click.echo(f"numbatch ready on {info.address} ({models}){http}")


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
    click.echo(
        json.dumps({"event": "ready", "address": info.address, "http_address": info.http_address, "models": models})
    )
