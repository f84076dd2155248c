"""`numbatch model new`."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from numbatch.cli.model_files import named_weights, version_folder, write_model
from numbatch.cli.options import axes
from numbatch.models import Activation, Dense, Flatten, Input, Layer, Sequential, Softmax
from numbatch.wire.errors import InvalidArgumentError
from numbatch.wire.layers import MOST_UNITS
from numbatch.wire.names import is_model_name

_IN_ORDER = "numbatch.layers_in_order"


def _dense(text: str) -> Dense:
    units, _, function = text.partition(":")
    if not re.fullmatch(r"[0-9]{1,9}", units) or not 1 <= int(units) <= MOST_UNITS or text.endswith(":"):
        expected = f"UNITS, or UNITS:ACTIVATION such as 3:sigmoid or 3:elu:0.5, with 1 to {MOST_UNITS} units"
        raise click.BadParameter(f"got {text!r}, expected {expected}")
    return Dense(int(units), _activation(function) if function else None)


def _activation(text: str) -> Activation:
    name, colon, alpha = text.partition(":")
    try:
        return Activation(name, alpha=float(alpha) if colon else None)
    except ValueError:
        raise click.BadParameter(f"got {text!r}, expected ACTIVATION or ACTIVATION:ALPHA such as elu:0.5") from None
    except InvalidArgumentError as wrong:
        raise click.BadParameter(wrong.message) from wrong


class _CommandOfLayers(click.Command):
    """Remembers in which order the layers' options came; click groups them by option."""

    LAYERS = ("dense", "activation", "softmax", "flatten")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[_IN_ORDER] = [parameter.name for parameter in order if parameter.name in self.LAYERS]
        return super().parse_args(ctx, args)


def _layers(given: dict[str, Any]) -> Iterator[Layer]:
    """Yield the layers in the order of the command line."""
    values = {"dense": iter(given["dense"]), "activation": iter(given["activation"])}
    for kind in click.get_current_context().meta[_IN_ORDER]:
        if kind in values:
            yield next(values[kind])
        else:
            yield Softmax() if kind == "softmax" else Flatten()


@click.command(cls=_CommandOfLayers)
@click.argument("output", type=click.Path(path_type=Path))
@click.option("--input", "input_shape", type=axes, required=True, metavar="AXES", help="One example: 10, or 28x28.")
@click.option("--dense", type=_dense, multiple=True, metavar="UNITS[:ACTIVATION[:ALPHA]]", help="A dense layer.")
@click.option(
    "--activation", type=_activation, multiple=True, metavar="ACTIVATION[:ALPHA]", help="An activation alone."
)
@click.option("--softmax", count=True, help="A softmax over the last axis.")
@click.option("--flatten", count=True, help="All axes of an example into one.")
@click.option("--name", help="The model's name.  [default: the last part of OUTPUT]")
@click.option("--seed", type=click.IntRange(min=0), help="Of the kernels. Without it they are others each time.")
@click.option("--version", type=click.IntRange(min=1), help="The version.  [default: one more than the newest there]")
@click.option("--text", is_flag=True, help="Write model.txtpb, which people can read, instead of model.binpb.")
@click.option("--force", is_flag=True, help="Replace the version if it is there already.")
def new(
    output: Path,
    input_shape: tuple[int, ...],
    name: str | None,
    seed: int | None,
    version: int | None,
    text: bool,
    force: bool,
    **layers: Any,
) -> None:
    """Make a network with random weights, as Keras does by default: Glorot uniform kernels, zero biases.

    The layers follow each other in the order of their options, which may be repeated. OUTPUT is the model's folder; or,
    with --name, the model repository to which the model of this name belongs. Weights of more than 1 MiB go into
    weights.safetensors beside the model.

    \b
    Examples:
      numbatch model new models/tiny --input 10 --dense 3:sigmoid --dense 5:sigmoid
      numbatch model new models --name mnist --input 28x28 --flatten --dense 512:relu --dense 10 --softmax
      numbatch model new models/tiny --input 10 --dense 5 --seed 1 --version 1 --force --text
    """  # noqa: D301
    folder = output if name is None else output / name
    name = output.resolve().name if name is None else name
    if not is_model_name(name):
        expected = "1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or a digit"
        raise click.UsageError(f"model name: got {name!r}, expected {expected}; give one with --name")
    try:
        model = Sequential([Input(input_shape), *_layers(layers)], seed=seed).to_message(name)
    except InvalidArgumentError as wrong:
        raise click.UsageError(f"{wrong.message}; add --dense, --activation, --softmax or --flatten") from wrong
    files = write_model(model, version_folder(folder, version, force=force), text=text)
    parameters = sum(math.prod(weights.shape) for _, weights in named_weights(model))
    click.echo(f"{', '.join(map(str, files))}: {len(model.layers)} layers, {parameters:,} parameters")
