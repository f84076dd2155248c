"""What an import made and found: as one dictionary, which is the JSON form, and as text for people, made from it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from numbatch.cli.sinks import json_number
from numbatch.wire.tensors import shape_text

if TYPE_CHECKING:
    from numbatch.convert import Verification
    from numbatch.convert.verification import Check, OutputDifference

Report = Mapping[str, Any]

_NUMBERS = ("max_abs", "max_ulp", "max_ulp_of_largest", "relative")


def verification_report(verification: "Verification", files: Sequence[str], seed: int) -> Report:
    """Describe how far the outputs are from the original's, on random rows and on those of files."""
    return {
        "passed": verification.passed,
        "checks": [_check(check, files, seed) for check in verification.checks],
    }


def as_text(report: Report) -> RenderableType:
    """Return a report for people: the files, the notes, a table of each check."""
    lines = []
    if report["files"]:
        count = "1 layer" if report["layers"] == 1 else f"{report['layers']} layers"
        size = f"{count}, {report['parameter_count']:,} parameters"
        lines += [f"{', '.join(report['files'])}: {size}, of {report['kind']}"]
    lines += [f"note: {note}" for note in report["notes"]]
    if report["not_verified"]:
        lines += [f"not verified: {report['not_verified']}"]
    tables: list[RenderableType] = []
    for check in report["verification"]["checks"] if report["verification"] else ():
        verdict = "the same as the original" if all(output["passed"] for output in check["outputs"]) else "NOT THE SAME"
        rows = f"rows of {', '.join(check['input'])}" if check["input"] else "random rows"
        tables += ["", Text(f"{verdict} on {check['rows']:,} {rows}"), "", _table(check["outputs"])]
    return Group(*map(Text, lines), *tables)


def _check(check: "Check", files: Sequence[str], seed: int) -> Report:
    return {
        "input": list(files) if check.given else None,
        "seed": None if check.given else seed,
        "rows": check.rows,
        "outputs": [_output(output) for output in check.outputs],
    }


def _output(output: "OutputDifference") -> Report:
    return {
        "name": output.name,
        "shape": list(output.shape),
        **{name: json_number(np.float64(getattr(output, name))) for name in _NUMBERS},
        "tolerance": output.tolerance,
        "same_largest": output.same_largest,
        "not_finite_alone": output.not_finite_alone,
        "passed": output.passed,
    }


def _table(outputs: Sequence[Report]) -> Table:
    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False)
    for name in ("output", "shape"):
        table.add_column(name, no_wrap=True)
    for name in (*_NUMBERS, "tolerance", "same_largest"):
        table.add_column(name.replace("_", " "), justify="right", no_wrap=True)
    for output in outputs:
        numbers = [f"{float(output[name]):.3g}" for name in (*_NUMBERS, "tolerance")]
        same = "-" if output["same_largest"] is None else f"{output['same_largest']:.2%}"
        table.add_row(*map(Text, [output["name"], shape_text(output["shape"]), *numbers, same]))
    return table
