"""`numbatch model import`."""

import importlib.util
import json
import math
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from rich.console import Console

from numbatch.cli.examples import input_types, open_examples
from numbatch.cli.exits import CommandError, ExitCode, what_installs
from numbatch.cli.import_report import as_text, verification_report
from numbatch.cli.model_files import named_weights, version_folder, write_model
from numbatch.cli.options import json_option
from numbatch.wire.names import is_model_name
from numbatch.wire.tensors import Array

if TYPE_CHECKING:
    from numbatch.convert import Converted, Detected, Verification

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_ROWS = 512
_BATCH_SIZE = 4096

# Where the output is no terminal, there is no width to keep to.
_UNLIMITED = 1000


@click.command("import")
@click.argument("source")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="The model repository: the model goes into DIR/NAME/VERSION.",
)
@click.option("--name", help="The model's name.  [default: the name in SOURCE, or that of the file]")
@click.option("--version", type=click.IntRange(min=1), help="The version.  [default: one more than the newest there]")
@click.option("--force", is_flag=True, help="Replace the version if it is there already.")
@click.option("--text", is_flag=True, help="Write model.txtpb, which people can read, instead of model.binpb.")
@click.option("--weights", type=_FILE, metavar="FILE", help="The weights of an architecture of Keras in .json.")
@click.option(
    "--architecture",
    metavar="FILE|MODULE:ATTRIBUTE",
    help="The network that weights of PyTorch belong to: a .txtpb file, a model of numbatch without weights; or a live "
    "module.",
)
@click.option(
    "--input",
    "files",
    multiple=True,
    metavar="FILE",
    help="Rows to verify with beside random ones: .npy, .npz or .csv, as for `numbatch infer`; may be repeated. With "
    "the first, a live module of PyTorch is traced.",
)
@click.option(
    "--verify/--no-verify",
    "wanted",
    default=None,
    help="Compare with the original.  [default: if its framework is installed]",
)
@click.option(
    "--rows", type=click.IntRange(min=1), default=_ROWS, show_default=True, help="Random rows to verify with."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="What makes the random rows.")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    metavar="SHARE",
    help="How far an output may be from the original's, by its largest element.  [default: what float32 sums in "
    "another order differ by, about 1e-5]",
)
@json_option
def import_(
    source: str,
    output: Path,
    name: str | None,
    version: int | None,
    force: bool,
    text: bool,
    weights: Path | None,
    architecture: str | None,
    files: Sequence[str],
    wanted: bool | None,
    rows: int,
    seed: int,
    tolerance: float | None,
    json_wanted: bool,
) -> ExitCode:
    """Make a model of one of Keras, PyTorch, scikit-learn or ONNX, and verify it.

    SOURCE is a file (.keras, .h5, .onnx, .pt2, .skops; .json of Keras with --weights; .safetensors or .pt of PyTorch
    with --architecture), a SavedModel folder, or package.module:attribute: a model in a program of yours, or a class or
    function that returns one. The module is looked for in the current folder too, and importing it RUNS ITS CODE: name
    only modules that you trust. Nothing in a file is run: pickles are refused.

    Then both run on the same rows, the model here and the original in its framework. If an output is further from the
    original's than rounding explains, nothing is written and the exit code is 1.

    \b
    Examples:
      numbatch model import tower.keras --output models
      numbatch model import churn.onnx --output models --name churn --input customers.csv
      numbatch model import train:build_model --output models --input rows.npy
      numbatch model import net.json --weights net.weights.h5 --output models --version 3 --force
      numbatch model import net.safetensors --architecture train:Net --output models
      numbatch model import net.safetensors --architecture net.txtpb --output models
    """  # noqa: D301
    # Only now: --help does not need them.
    from numbatch.convert import detect, read
    from numbatch.engine import validate_model

    name = "" if name is None else _checked(name)
    found = detect(source)
    converted = read(
        found,
        name=name,
        weights=weights,
        architecture=architecture,
        example=_example(files[0]) if files and found.framework == "torch" else None,
    )
    model = converted.model
    model.name = name or _named(model.name)
    folder = version_folder(output / model.name, version, force=force)
    validate_model(model)
    verification = None
    if wanted and converted.reference is None:
        raise CommandError(f"--verify: {_not_verified(found)}", ExitCode.USAGE)
    if wanted is not False and converted.reference is not None:
        verification = _verify(converted, files, rows, seed, tolerance)
    passed = verification is None or verification.passed
    written = write_model(model, folder, text=text) if passed else []
    report: dict[str, Any] = {
        "source": source,
        "kind": found.kind,
        "name": model.name,
        "version": int(folder.name),
        "files": [str(path) for path in written],
        "layers": len(model.layers),
        "parameter_count": sum(math.prod(each.shape) for _, each in named_weights(model)),
        "notes": list(converted.notes),
        "verification": verification_report(verification, files, seed) if verification else None,
        "not_verified": "" if verification else "not asked for" if wanted is False else _not_verified(found),
    }
    if json_wanted:
        click.echo(json.dumps(report))
    else:
        width = None if sys.stdout.isatty() else _UNLIMITED
        Console(highlight=False, width=width).print(as_text(report))
    if verification and not passed:
        raise CommandError(_failure(verification), ExitCode.NEGATIVE)
    return ExitCode.OK


def _example(path: str) -> Array | dict[str, Array] | None:
    """Return what a module of PyTorch may be called with: the array of a .npy, those of a .npz by name."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".npy", ".npz"):
        return None
    try:
        with Path(path).open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            if isinstance(arrays, np.ndarray):
                return _single(arrays)
            return {name: _single(arrays[name]) for name in arrays}
    except (ValueError, EOFError, zipfile.BadZipFile) as broken:
        raise CommandError(f"{path}: no {suffix} file of numbers: {broken}") from broken


def _single(array: Array) -> Array:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def _checked(name: str) -> str:
    if not is_model_name(name):
        expected = "1 to 128 of A-Z a-z 0-9 . _ -, starting with a letter or a digit"
        raise click.UsageError(f"model name: got {name!r}, expected {expected}; give one with --name")
    return name


def _named(name: str) -> str:
    """Return the nearest name that a model may have."""
    return _checked(name if is_model_name(name) else re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip("._-")[:128])


def _verify(
    converted: "Converted", files: Sequence[str], rows: int, seed: int, tolerance: float | None
) -> "Verification":
    from numbatch.convert import verify

    inputs = None
    if files:
        read = [_rows(path, converted) for path in files]
        inputs = {name: np.concatenate([arrays[name] for arrays in read]) for name in read[0]}
    return verify(converted, inputs, rows=rows, seed=seed, tolerance=tolerance)


def _rows(path: str, converted: "Converted") -> dict[str, Array]:
    with open_examples(path, types := input_types(converted.model.inputs)) as examples:
        batches = list(examples.minibatches(_BATCH_SIZE))
    return {
        name: np.concatenate([batch[name].reshape(-1, *kind.shape) for batch in batches])
        for name, kind in types.items()
    }


def _not_verified(found: "Detected") -> str:
    module = "onnxruntime" if found.framework == "onnx" else found.framework
    if importlib.util.find_spec(module):
        return f"there is no original to compare with: {found.kind} cannot be run by itself"
    package = what_installs(ModuleNotFoundError(name=module))
    return f"there is no original to compare with, as {module} is not installed: pip install {package}"


def _failure(verification: "Verification") -> str:
    worst = verification.worst
    if worst.not_finite_alone:
        far, expected = f"{worst.not_finite_alone} NaN or infinite in one of the two alone", "none"
    else:
        far, expected = f"{worst.relative:.2g} of its largest element", f"at most {worst.tolerance:.2g}"
    hint = "nothing was written; give rows like yours with --input, or allow more with --tolerance"
    return f"output {worst.name!r}: not the original's: got {far}, expected {expected}; {hint}"
