"""`numbatch model compare`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from numbatch.cli.comparison import Comparison
from numbatch.cli.comparison_report import as_text, layer_report
from numbatch.cli.examples import Examples, input_types, open_examples, read_labels
from numbatch.cli.layer_pairs import pair_layers
from numbatch.cli.options import json_option, layers_option
from numbatch.cli.progress import progress
from numbatch.convert.random_rows import RandomRows, random_inputs
from numbatch.v1.model_pb2 import Model

if TYPE_CHECKING:
    from numbatch.engine import LoadedModel
    from numbatch.repository.disk import FoundVersion

_BATCH_SIZE = 256
_RANDOM_ROWS = 1000

# Where the output is no terminal, there is no width to keep to.
_UNLIMITED = 1000


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="PATH")
@click.argument("other", type=click.Path(path_type=Path), required=False, metavar="[OTHER]")
@click.option("--input", "source", metavar="FILE", help="The rows: .npy, .npz, .csv or -, as for `numbatch infer`.")
@click.option("--rows", type=click.IntRange(min=1), metavar="N", help=f"Random rows.  [default: {_RANDOM_ROWS}]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="What makes the random rows.")
@layers_option("Compare these layers as well; may be repeated.")
@click.option("--all-layers", is_flag=True, help="Compare all layers.")
@click.option(
    "--labels",
    "labels_file",
    metavar="FILE",
    help="The right unit for each row of --input, counted from 0: .npy, .npz with an array `labels`, or .csv with a "
    "number on each line. Shows how often each model is right.",
)
@json_option
def compare(
    path: Path,
    other: Path | None,
    source: str | None,
    rows: int | None,
    seed: int,
    layers: list[str],
    all_layers: bool,
    labels_file: str | None,
    json_wanted: bool,
) -> None:
    """Compare a model with itself in bf16, or with another.

    With one PATH, the model with its weights rounded to bf16 is compared with the model as it is: what
    `numbatch serve --weights-precision bf16` changes. With OTHER, that model is compared with the one at PATH, both as
    they are; the shapes of their inputs and outputs are the same. A PATH is a model's folder (of which the newest
    version is taken), a version's folder or a model file; no server is asked.

    Random rows are standard normal numbers, and of lookup tables row numbers in their range. They show what is broken,
    but not what your data would show: give --input.

    \b
    Of each output, and each layer that is asked for:
      max abs             the largest difference of two elements
      rms                 the root of the differences' mean square
      relative rms        the same by the root mean square of the first model's elements
      max relative        the largest difference by the first model's element, where that is not 0
      max ulp             the largest difference in ulp, steps of float32, of the larger of the two elements
      max ulp of largest  the largest difference in ulp of the first model's largest element
      same largest        how often the largest unit is the same in both

    \b
    Examples:
      numbatch model compare models/digits
      numbatch model compare models/digits --input images.csv --labels digits.csv --all-layers
      numbatch model compare models/digits/1 models/digits/2 --rows 10000 --json
    """  # noqa: D301
    if source and rows:
        raise click.UsageError("--input and --rows: give one of them", click.get_current_context())
    if labels_file and not source:
        raise click.UsageError("--labels: needs the rows that they belong to, --input", click.get_current_context())
    labels = read_labels(labels_file) if labels_file else None
    first, baseline = _load(path, "f32")
    second, candidate = _load(other, "f32") if other else _load(path, "bf16")
    names = [layer.name for layer in baseline.summary.layers] if all_layers else layers
    pairs = pair_layers(baseline.summary, candidate.summary, names)
    comparison = Comparison(baseline, candidate, pairs, labels)
    with (
        _examples(source, baseline.message(include_weights=False), rows, seed) as examples,
        progress(examples.rows) as advance,
    ):
        for minibatch in examples.minibatches(_BATCH_SIZE):
            comparison.add(minibatch)
            advance(len(next(iter(minibatch.values()))))
    accuracies = comparison.accuracies()
    report = {
        "baseline": _described(first, baseline, accuracies[0]),
        "candidate": _described(second, candidate, accuracies[1]),
        "input": source,
        "seed": None if source else seed,
        "rows": comparison.rows,
        "layers": [layer_report(*compared) for compared in zip(pairs, comparison.differences, strict=True)],
    }
    if json_wanted:
        click.echo(json.dumps(report))
    else:
        width = None if sys.stdout.isatty() else _UNLIMITED
        Console(highlight=False, width=width).print(as_text(report))


def _load(path: Path, weights_precision: str) -> "tuple[FoundVersion, LoadedModel]":
    # Only now: they take a second to import, and --help does not need them.
    from numbatch.cli.discovery import newest_version
    from numbatch.engine import load_model

    found = newest_version(path)
    return found, load_model(found.folder, name=found.name, weights_precision=weights_precision)


@contextmanager
def _examples(source: str | None, model: Model, rows: int | None, seed: int) -> Iterator[Examples]:
    if source is None:
        yield RandomRows(random_inputs(model), rows or _RANDOM_ROWS, seed)
    else:
        with open_examples(source, input_types(model.inputs)) as examples:
            yield examples


def _described(found: "FoundVersion", model: "LoadedModel", accuracy: float | None) -> dict[str, Any]:
    return {
        "name": model.name,
        "version": found.version or None,
        "weights_precision": model.summary.weights_precision,
        "packed_bytes": model.summary.packed_bytes,
        "accuracy": accuracy,
    }
