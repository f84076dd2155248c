"""`numbatch health`."""

import json

import click

from numbatch.cli.connection import connect
from numbatch.cli.exits import ExitCode
from numbatch.cli.options import SECONDS, ModelReference, json_option, model_reference, server_option, state_name
from numbatch.client import Client, NotFoundError, ServiceError


@click.command()
@click.argument("model", type=model_reference, metavar="[NAME[/VERSION]]", required=False)
@server_option
@click.option("--timeout", type=SECONDS, default=2.0, show_default=True, help="Seconds to wait for an answer.")
@json_option
def health(model: ModelReference | None, server: str, timeout: float, json_wanted: bool) -> ExitCode:
    """Ask whether a server is ready, or a model on it.

    The exit code is the answer: 0 ready, 1 not ready or no such model, 4 no answer. It imports no kernels and takes a
    fraction of a second, so it suits as the health check of a container.

    \b
    Examples:
      numbatch health
      numbatch health digits --server 10.0.0.7:8001
      numbatch health digits/2 --json
    """  # noqa: D301
    with connect(server, timeout) as client:
        code, reason = _ask(client, model)
    answer = {ExitCode.OK: "ready", ExitCode.NEGATIVE: "not ready"}.get(code, "no answer")
    if json_wanted:
        found = {"server": server, "model": str(model) if model else None, "ready": code is ExitCode.OK}
        click.echo(json.dumps({**found, "answer": answer, "reason": reason}))
    else:
        subject = f"model {model} on {server}" if model else f"server {server}"
        click.echo(f"{subject}: {answer}" + (f": {reason}" if reason else ""))
    return code


def _ask(client: Client, model: ModelReference | None) -> tuple[ExitCode, str]:
    """Return the answer, and why it is not yes."""
    try:
        if client.is_ready(str(model or "")):
            return ExitCode.OK, ""
        return ExitCode.NEGATIVE, _reason(client, model)
    except NotFoundError:
        return ExitCode.NEGATIVE, "the server has no such model or version"
    except ServiceError as silent:
        return ExitCode.UNAVAILABLE, silent.message


def _reason(client: Client, model: ModelReference | None) -> str:
    """Ask why, which fails where there is nobody to ask."""
    statuses = client.list_models()
    if model is None:
        return "it is loading its models, or shutting down"
    return "; ".join(
        f"version {status.model_version} {state_name(status.state)}" + (f": {status.reason}" if status.reason else "")
        for status in statuses
        if status.model_name == model.name and model.version in (0, status.model_version)
    )
