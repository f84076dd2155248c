"""`numbatch model inspect`."""

import json
import sys
from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console

from numbatch.cli.connection import connect
from numbatch.cli.description import Description, as_text, of_metadata, of_summary, of_timings
from numbatch.cli.exits import CommandError
from numbatch.cli.measurement import measure as measure_model
from numbatch.cli.options import SERVER_VARIABLE, json_option, model_reference, server_option
from numbatch.cli.plot import svg_of
from numbatch.cli.sinks import replaced

_TIMEOUT_S = 30.0

# Where the output is no terminal, there is no width to keep to.
_UNLIMITED = 1000


@click.command()
@click.argument("model", metavar="PATH|NAME[/VERSION]")
@click.option(
    "--measure/--no-measure",
    default=True,
    show_default=True,
    help="Load a model on disk and run it for half a second, to say how long a row takes.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.svg",
    help="Draw the graph: an SVG picture for browsers and pages, light or dark as they are.",
)
@server_option
@json_option
@click.pass_context
def inspect(ctx: click.Context, model: str, measure: bool, plot: Path | None, server: str, json_wanted: bool) -> None:
    """Show the layers, shapes and sizes of a model.

    The model is a PATH to a model's folder (of which the newest version is shown), a version's folder or a model
    file; or, with --server, the NAME of a model there. NUMBATCH_SERVER alone decides only where there is no such
    path.

    The packed bytes are those of the weights in memory, as the kernels read them. Of a model on disk the time of a row
    is measured here: alone, and in batches of 1024, or fewer where the model is slow.

    A drawing has a box for each input and layer with its shape for one example; outputs have a second border, and lines
    that skip layers stand out.

    \b
    Examples:
      numbatch model inspect models/digits
      numbatch model inspect digits/1 --server 127.0.0.1:8001
      numbatch model inspect models/digits --plot digits.svg --no-measure
      numbatch model inspect models/digits/1/model.binpb --json
    """  # noqa: D301
    source = ctx.get_parameter_source("server")
    named = source is ParameterSource.COMMANDLINE or (
        source is ParameterSource.ENVIRONMENT and not Path(model).exists()
    )
    description = _on_server(model, server) if named else _on_disk(Path(model), measured=measure)
    if plot:
        with replaced(plot) as partial:
            partial.write_text(svg_of(description), encoding="utf-8")
    if json_wanted:
        click.echo(json.dumps(description))
    else:
        width = None if sys.stdout.isatty() else _UNLIMITED
        Console(highlight=False, width=width).print(as_text(description))


def _on_server(model: str, server: str) -> Description:
    name, version = model_reference(model)
    with connect(server, _TIMEOUT_S) as client:
        return of_metadata(client.get_metadata(name, version=version))


def _on_disk(path: Path, *, measured: bool) -> Description:
    # Only now: they take a second to import, and --help does not need them.
    from numbatch.cli.discovery import newest_version
    from numbatch.engine import compute_threads, footprint, load_model, validate_model

    if not path.exists():
        hint = f"name a model's folder, or a server's model with --server HOST:PORT or {SERVER_VARIABLE}"
        raise CommandError(f"{path}: no such file or folder; {hint}")
    newest = newest_version(path)
    folder, name, version = newest.folder, newest.name, newest.version or None
    held = footprint(folder, name=name).held_bytes
    if not measured:
        return of_summary(validate_model(folder, name=name), version, held_bytes=held)
    loaded = load_model(folder, name=name)
    timings = of_timings(measure_model(loaded), loaded.instruction_set, compute_threads())
    return of_summary(loaded.summary, version, held_bytes=held, measured=timings)
