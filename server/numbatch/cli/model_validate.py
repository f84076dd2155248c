"""`numbatch model validate`."""

import json
from pathlib import Path
from typing import Any

import click

from numbatch.cli.exits import ExitCode
from numbatch.cli.options import json_option
from numbatch.wire.errors import NumbatchError


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@json_option
def validate(paths: tuple[Path, ...], json_wanted: bool) -> ExitCode:
    """Check models as a server does when it loads them: the graph, the shapes, and every weight.

    A PATH is a model repository, a model's folder, one of its versions, or a model file. Each version gets a line:
    ok, or the field that is wrong, what it holds and what was expected. The exit code is 1 if any is wrong.

    \b
    Examples:
      numbatch model validate models
      numbatch model validate models/digits/2 models/tiny --json
    """  # noqa: D301
    # Only now: it takes a second to import, and --help does not need it.
    from numbatch.cli.discovery import find_versions

    verdicts = [_verdict(found) for path in paths for found in find_versions(path)]
    valid = all(verdict["valid"] for verdict in verdicts)
    if json_wanted:
        click.echo(json.dumps({"valid": valid, "models": verdicts}))
    else:
        for verdict in verdicts:
            click.echo(
                f"ok   {verdict['path']}" if verdict["valid"] else f"bad  {verdict['path']}: {verdict['message']}"
            )
    return ExitCode.OK if valid else ExitCode.NEGATIVE


def _verdict(found: Any) -> dict[str, Any]:
    from numbatch.engine import validate_model

    verdict = {"path": str(found.folder), "valid": False, "reason": "", "field": "", "message": found.problem}
    if not found.problem:
        try:
            validate_model(found.folder, name=found.name)
        except NumbatchError as wrong:
            verdict |= {"reason": str(wrong.reason), "field": wrong.field, "message": wrong.message}
        else:
            verdict["valid"] = True
    return verdict
