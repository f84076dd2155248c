"""`numbatch model export`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from numbatch.cli.sinks import replaced
from numbatch.v1.model_pb2 import Model

_FORMATS = {".onnx": "onnx", ".keras": "keras"}


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["onnx", "keras"]),
    help="[default: what the name of the output ends in: .onnx or .keras]",
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE", help="The file."
)
def export(path: Path, format_: str | None, output: Path) -> None:
    """Write a model as ONNX or Keras, for other runtimes and for training on.

    PATH is a model's folder (of which the newest version is taken), a version's folder or a model file. A file that is
    there is replaced; it is complete or not there. Both need `pip install 'numbatch[convert]'`, and no Keras.

    \b
    Examples:
      numbatch model export models/digits --output digits.onnx
      numbatch model export models/digits/1 --format keras --output digits.keras
    """  # noqa: D301
    format_ = format_ or _FORMATS.get(output.suffix.lower())
    if format_ is None:
        raise click.UsageError(f"--output {output}: expected a name that ends in .onnx or .keras, or --format")
    # Only now: they take a second to import, and --help does not need them.
    from numbatch.cli.discovery import newest_version
    from numbatch.engine import load_model

    found = newest_version(path)
    model = load_model(found.folder, name=found.name).message()
    with replaced(output) as partial:
        _WRITERS[format_](model, partial)
    click.echo(f"{output}: {len(model.layers)} layers, {output.stat().st_size:,} bytes")


def _write_onnx(model: Model, path: Path) -> None:
    from numbatch.convert import to_onnx

    path.write_bytes(to_onnx(model).SerializeToString())


def _write_keras(model: Model, path: Path) -> None:
    from numbatch.convert import to_keras

    to_keras(model, path)


_WRITERS: dict[str, Callable[[Model, Path], Any]] = {"onnx": _write_onnx, "keras": _write_keras}
