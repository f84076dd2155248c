"""`numbatch infer`."""

import json
import shutil
import sys
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import click

from numbatch.cli.connection import connect
from numbatch.cli.examples import Examples, input_types, open_examples
from numbatch.cli.options import SECONDS, ModelReference, json_option, layers_option, model_reference, server_option
from numbatch.cli.preview import PREVIEW_ROWS, preview
from numbatch.cli.progress import progress
from numbatch.cli.sinks import CsvSink, JsonLinesSink, Outputs, Sink, open_file_sink, output_format
from numbatch.client import Client, MessageTooLargeError, NumbatchError
from numbatch.wire.tensors import shape_text


@dataclass(frozen=True)
class _Inference:
    """A model on a server, and what is wanted of it."""

    client: Client
    model: ModelReference
    layers: list[str]
    window: int
    priority: str

    def run(self, examples: Examples, batch_size: int) -> Generator[Outputs, None, None]:
        """Yield the outputs, by layer name, of one minibatch after the other."""
        name, version = self.model
        minibatches = examples.minibatches(batch_size)
        rows = 0
        try:
            answers = self.client.stream(
                name,
                minibatches,
                version=version,
                layers=self.layers,
                window=self.window,
                priority=self.priority,
            )
            with closing(answers):
                for outputs in answers:
                    yield outputs
                    rows += _rows(outputs)
        except NumbatchError as failed:
            if isinstance(failed, MessageTooLargeError):
                failed.add_note(f"here: a --batch-size below {batch_size}")
            if rows:
                failed.add_note(f"the {rows} rows before went well")
            raise


@click.command()
@click.argument("model", type=model_reference, metavar="NAME[/VERSION]")
@click.argument("source", metavar="INPUT")
@click.option("--output", "-o", metavar="FILE", help="Write FILE: .npy for one layer, .npz or .csv for any number.")
@layers_option("The layers whose outputs are wanted; may be repeated.  [default: the model's outputs]")
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True, help="Rows per minibatch.")
@click.option(
    "--window", type=click.IntRange(min=1), default=8, show_default=True, help="Minibatches on their way at once."
)
@click.option(
    "--priority",
    type=click.Choice(["normal", "high"]),
    default="normal",
    show_default=True,
    help="high: before the requests that are normal.",
)
@click.option("--timeout", type=SECONDS, default=30.0, show_default=True, help="Seconds to wait for each minibatch.")
@server_option
@json_option
def infer(
    model: ModelReference,
    source: str,
    output: str | None,
    layers: list[str],
    batch_size: int,
    window: int,
    priority: str,
    timeout: float,
    server: str,
    json_wanted: bool,
) -> None:
    """Run a model over the rows of a file.

    INPUT is a .npy (memory-mapped, so it may be larger than the memory), a .csv with an example on each line, a .npz
    with an array for each input of the model, by name, or - for CSV on standard input. Rows are streamed in
    minibatches.

    A .csv may have a header line. With several inputs its columns are theirs, in the model's order; or in any order,
    beside others, under a header that names them: x[0],x[1],user. Inputs that are row numbers of lookup tables take
    integers.

    Without --output the rows go to standard output: the first 20 as a table at a terminal, all of them as CSV into a
    pipe, as one JSON object per row with --json. With --output, --json prints a summary. A file is complete or not
    there.

    \b
    Examples:
      numbatch infer digits images.npy
      numbatch infer digits images.csv --layers hidden_1,probabilities --output layers.npz
      head -100 images.csv | numbatch infer digits/2 - --json
      numbatch infer recommender visits.npz --output scores.npy      # arrays named as the inputs
    """  # noqa: D301
    with connect(server, timeout) as client:
        metadata = client.get_metadata(model.name, version=model.version)
        # All rows by one version, whatever is loaded meanwhile.
        model = ModelReference(model.name, metadata.status.model_version)
        layers = layers or [spec.name for spec in metadata.outputs]
        if output:
            output_format(output, layers)  # a wrong name is said before the work, not after
        inference = _Inference(client, model, layers, window, priority)
        with open_examples(source, input_types(metadata.inputs)) as examples:
            if output:
                _to_file(inference, examples, batch_size, output, json_wanted)
            elif json_wanted:
                _to_sink(inference, examples, batch_size, JsonLinesSink(sys.stdout))
            elif sys.stdout.isatty():
                _to_terminal(inference, examples)
            else:
                _to_sink(inference, examples, batch_size, CsvSink(sys.stdout))


def _to_sink(inference: _Inference, examples: Examples, batch_size: int, sink: Sink) -> dict[str, Any]:
    """Write all outputs; return how many rows they are and the shapes of the layers."""
    rows, shapes = 0, dict[str, list[int]]()
    with progress(examples.rows) as advance:
        for outputs in inference.run(examples, batch_size):
            sink.write(outputs)
            done = _rows(outputs)
            rows += done
            advance(done)
            shapes = shapes or {name: list(array.shape[1:]) for name, array in outputs.items()}
    return {"rows": rows, "layers": [{"name": name, "shape": shape} for name, shape in shapes.items()]}


def _to_file(inference: _Inference, examples: Examples, batch_size: int, output: str, json_wanted: bool) -> None:
    started = time.perf_counter()
    with open_file_sink(output, inference.layers) as sink:
        written = _to_sink(inference, examples, batch_size, sink)
    seconds = time.perf_counter() - started
    if json_wanted:
        name, version = inference.model
        summary = {"model": name, "version": version, **written, "output": output, "seconds": round(seconds, 6)}
        click.echo(json.dumps(summary))
    else:
        layers = ", ".join(f"{layer['name']} {shape_text(layer['shape'])}" for layer in written["layers"])
        click.echo(f"{output}: {written['rows']:,} rows of {layers} in {seconds:.2f} s")


def _to_terminal(inference: _Inference, examples: Examples) -> None:
    """Show the first rows."""
    with closing(inference.run(examples, PREVIEW_ROWS + 1)) as answers:
        outputs = next(answers)
    shown = {name: array[:PREVIEW_ROWS] for name, array in outputs.items()}
    click.echo(preview(shown, shutil.get_terminal_size().columns))
    if _rows(outputs) > PREVIEW_ROWS:
        click.echo(f"The first {PREVIEW_ROWS} rows. All of them: --output FILE, --json, or into a pipe.")


def _rows(outputs: Outputs) -> int:
    return len(next(iter(outputs.values())))
